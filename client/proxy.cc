#include "client/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/shown.h"
#include "client/target.h"

namespace hellocnn::client {
namespace {

struct Variable {
  std::string name;
  std::string value;
};

// Returns the first of the variables that is set, in small letters or in capitals.
Variable FirstSet(const std::vector<std::string>& names, const Environment& environment) {
  for (const std::string& small : names) {
    for (const std::string& name : {small, absl::AsciiStrToUpper(small)}) {
      if (std::string value = environment(name); !value.empty()) return {name, std::move(value)};
    }
  }
  return {};
}

// An address of 16 bytes; one of IPv4 is mapped to IPv6.
using AddressBytes = std::array<std::uint8_t, 16>;
constexpr int kMappedBits = 96;

// Returns false for a name.
bool ToBytes(const std::string& host, AddressBytes* bytes) {
  if (inet_pton(AF_INET6, host.c_str(), bytes->data()) == 1) return true;
  *bytes = {};
  (*bytes)[10] = (*bytes)[11] = 0xff;
  return inet_pton(AF_INET, host.c_str(), bytes->data() + 12) == 1;
}

bool HaveSameStart(const AddressBytes& left, const AddressBytes& right, int bits) {
  for (int bit = 0; bit < bits; ++bit) {
    if (((left[bit / 8] ^ right[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  }
  return true;
}

// `range` is "10.0.0.0/8", "fd00::/8" or an address.
bool IsInRange(const std::string& host, absl::string_view range) {
  const std::size_t slash = range.find('/');
  const std::string network(range.substr(0, slash));
  AddressBytes mine;
  AddressBytes theirs;
  if (!ToBytes(host, &mine) || !ToBytes(network, &theirs)) return false;
  const bool ipv6 = network.find(':') != std::string::npos;
  int bits = ipv6 ? 128 : 32;
  if (slash != absl::string_view::npos &&
      (!absl::SimpleAtoi(range.substr(slash + 1), &bits) || bits < 0 || bits > (ipv6 ? 128 : 32))) {
    return false;
  }
  return HaveSameStart(mine, theirs, ipv6 ? bits : kMappedBits + bits);
}

// Returns true if `entry` of no_proxy names the address.
bool Names(absl::string_view entry, const HostPort& address) {
  if (entry == "*") return true;
  // A port follows the only colon, or a bracket.
  const std::size_t colon = entry.rfind(':');
  const bool bracketed = absl::StartsWith(entry, "[");
  if (colon != absl::string_view::npos &&
      (bracketed ? entry[colon - 1] == ']' : entry.find(':') == colon)) {
    int port = 0;
    if (!absl::SimpleAtoi(entry.substr(colon + 1), &port) || port != address.port) return false;
    entry = entry.substr(0, colon);
  }
  if (bracketed) entry = absl::StripSuffix(absl::StripPrefix(entry, "["), "]");
  if (AddressBytes bytes; ToBytes(address.host, &bytes)) return IsInRange(address.host, entry);
  entry = absl::StripPrefix(absl::StripPrefix(entry, "*"), ".");
  const absl::string_view host = absl::StripSuffix(address.host, ".");
  return !entry.empty() && (absl::EqualsIgnoreCase(host, entry) ||
                            absl::EndsWithIgnoreCase(host, absl::StrCat(".", entry)));
}

bool IsExcepted(const HostPort& address, const Environment& environment) {
  for (const char* name : {"no_grpc_proxy", "NO_GRPC_PROXY", "no_proxy", "NO_PROXY"}) {
    const std::string value = environment(name);
    for (const absl::string_view entry :
         absl::StrSplit(value, absl::ByAnyChar(", \t\n"), absl::SkipEmpty())) {
      if (Names(entry, address)) return true;
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<Proxy> ChooseProxy(const std::string& wanted, const std::vector<HostPort>& addresses,
                                  const Environment& environment) {
  Variable chosen{"proxy", wanted};
  if (wanted.empty() || wanted == "environment") {
    chosen = FirstSet({"grpc_proxy", "https_proxy", "http_proxy"}, environment);
  }
  if (chosen.value.empty() || addresses.size() != 1 || IsThisMachine(addresses.front().host) ||
      IsExcepted(addresses.front(), environment)) {
    return Proxy{};
  }
  if (wanted.empty()) {
    return Proxy{"", absl::StrCat(" (not through the proxy that ", chosen.name,
                                  " names; --proxy environment would use it)")};
  }
  absl::string_view url = chosen.value;
  if (!absl::StrContains(url, "://")) chosen.value = absl::StrCat("http://", chosen.value);
  url = chosen.value;
  // What is shown has no password.
  std::string host(absl::StripSuffix(url.substr(url.find("://") + 3), "/"));
  host = host.substr(host.rfind('@') + 1);
  const absl::StatusOr<HostPort> address = ParseHostPort(host);
  if (!absl::StartsWithIgnoreCase(url, "http://") || !address.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        chosen.name, " names the proxy \"", Shown(std::string(url.substr(0, url.find("://") + 3))),
        Shown(host), "\"; wanted http://host:port",
        address.ok() ? "" : absl::StrCat(": ", address.status().message())));
  }
  return Proxy{std::string(absl::StripSuffix(url, "/")),
               absl::StrCat(" (through the proxy ", host, ")")};
}

}  // namespace hellocnn::client
