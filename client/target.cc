#include "client/target.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/shown.h"

namespace hellocnn::client {
namespace {

using Addresses = absl::StatusOr<std::vector<HostPort>>;

Addresses Wrong(const std::string& what) { return absl::InvalidArgumentError(what); }

Addresses ParseOne(const std::string& text) {
  const absl::StatusOr<HostPort> address = ParseHostPort(text);
  if (!address.ok()) return address.status();
  if (address->port == 0) return Wrong("no server has port 0; wanted 1 to 65535");
  return std::vector<HostPort>{*address};
}

// `family` is AF_INET or AF_INET6.
Addresses ParseList(absl::string_view text, int family) {
  std::vector<HostPort> all;
  for (const absl::string_view piece : absl::StrSplit(text, ',')) {
    Addresses one = ParseOne(std::string(piece));
    if (!one.ok()) return one;
    in6_addr parsed;
    if (inet_pton(family, one->front().host.c_str(), &parsed) != 1) {
      return Wrong(absl::StrCat(one->front().host, " is not an address of that family"));
    }
    all.push_back(one->front());
  }
  return all;
}

Addresses ParseUnixPath(absl::string_view path) {
  if (absl::ConsumePrefix(&path, "//") && !absl::StartsWith(path, "/")) {
    return Wrong("a path after unix:// begins with a slash, as in unix:///run/hellocnn.sock");
  }
  constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty() || path == "/") return Wrong("no path follows; wanted unix:/run/hellocnn.sock");
  if (path.size() > kLongest) {
    return Wrong(absl::StrCat("the path has ", path.size(), " bytes; a Unix socket's has at most ",
                              kLongest));
  }
  return std::vector<HostPort>();
}

// `text` is "//authority/host:port" or "host:port".
Addresses ParseDns(absl::string_view text) {
  if (absl::ConsumePrefix(&text, "//")) {
    const std::size_t slash = text.find('/');
    if (slash == absl::string_view::npos) {
      return Wrong("dns:// needs a third slash, as in dns:///infer.example:8500");
    }
    text.remove_prefix(slash + 1);
  }
  return ParseOne(std::string(text));
}

// A URL such as http://host:port/.
Addresses RejectUrl(absl::string_view text) {
  const std::size_t end = text.find("://") + 3;
  const absl::string_view scheme = text.substr(0, end);
  const std::string rest(text.substr(end, text.find_first_of("/?#", end) - end));
  const bool encrypted = scheme == "https://" || scheme == "grpcs://";
  return Wrong(absl::StrCat("it is a URL; wanted ",
                            ParseOne(rest).ok() ? rest : "host:port, such as 127.0.0.1:8500",
                            ", without ", Shown(std::string(scheme)),
                            encrypted ? "; for TLS use --tls (ClientOptions::tls)" : ""));
}

Addresses Parse(absl::string_view text) {
  if (absl::ConsumePrefix(&text, "unix:")) return ParseUnixPath(text);
  if (absl::ConsumePrefix(&text, "unix-abstract:")) return ParseUnixPath(text);
  if (absl::ConsumePrefix(&text, "dns:")) return ParseDns(text);
  if (absl::ConsumePrefix(&text, "ipv4:")) return ParseList(text, AF_INET);
  if (absl::ConsumePrefix(&text, "ipv6:")) return ParseList(text, AF_INET6);
  if (absl::StrContains(text, "://")) return RejectUrl(text);
  if (absl::StrContains(text, ",")) {
    return Wrong(
        "it is a list; wanted one host:port, or a list of addresses such as "
        "ipv4:10.0.0.1:8500,10.0.0.2:8500");
  }
  return ParseOne(std::string(text));
}

}  // namespace

Addresses ParseTarget(const std::string& target) {
  Addresses addresses = Parse(target);
  if (addresses.ok()) return addresses;
  return Wrong(
      absl::StrCat("the target is \"", Shown(target), "\": ", addresses.status().message()));
}

bool IsThisMachine(const std::string& host) {
  const absl::string_view name = absl::StripSuffix(host, ".");
  if (absl::EqualsIgnoreCase(name, "localhost") || absl::EndsWithIgnoreCase(name, ".localhost")) {
    return true;
  }
  in_addr four;
  if (inet_pton(AF_INET, host.c_str(), &four) == 1) {
    const std::uint32_t number = ntohl(four.s_addr);
    return number >> 24 == 127 || number == INADDR_ANY;
  }
  in6_addr six;
  if (inet_pton(AF_INET6, host.c_str(), &six) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_UNSPECIFIED(&six) ||
         (IN6_IS_ADDR_V4MAPPED(&six) && six.s6_addr[12] == 127);
}

}  // namespace hellocnn::client
