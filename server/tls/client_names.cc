#include "server/tls/client_names.h"

#include <arpa/inet.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/shown.h"

namespace hellocnn::server {
namespace {

constexpr absl::string_view kDns = "DNS:";
constexpr absl::string_view kUri = "URI:";
constexpr absl::string_view kEmail = "email:";
constexpr absl::string_view kIp = "IP:";

// Returns the address as CertificateNames writes it, or "" if it is none.
std::string CanonicalAddress(const std::string& text) {
  for (const int family : {AF_INET, AF_INET6}) {
    char bytes[sizeof(in6_addr)];
    char canonical[INET6_ADDRSTRLEN];
    if (inet_pton(family, text.c_str(), bytes) == 1 &&
        inet_ntop(family, bytes, canonical, sizeof canonical) != nullptr) {
      return canonical;
    }
  }
  return "";
}

bool IsDnsName(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_' || c == '*';
  });
}

absl::Status NotA(const std::string& name, const char* kind) {
  return absl::InvalidArgumentError(absl::StrCat("\"", Shown(name), "\" is no ", kind));
}

}  // namespace

absl::StatusOr<std::string> CanonicalClientName(const std::string& text) {
  absl::string_view kind;
  std::string name = text;
  for (const absl::string_view known : {kDns, kUri, kEmail, kIp}) {
    if (text.size() >= known.size() && text.compare(0, known.size(), known.data()) == 0) {
      kind = known;
      name.erase(0, known.size());
    }
  }
  if (name.empty()) return absl::InvalidArgumentError("one of the names is empty");
  if (!std::all_of(name.begin(), name.end(), absl::ascii_isgraph)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", Shown(name), "\" has a character that no name has"));
  }
  const std::string address = CanonicalAddress(name);
  if (kind.empty()) {
    kind = name.find("://") != std::string::npos ? kUri
           : name.find('@') != std::string::npos ? kEmail
           : !address.empty()                    ? kIp
                                                 : kDns;
  }
  if (kind == kIp) {
    if (address.empty()) return NotA(name, "IP address");
    name = address;
  } else if (kind == kDns) {
    if (!IsDnsName(name)) return NotA(name, "DNS name");
    name = absl::AsciiStrToLower(name);
  } else if (kind == kUri) {
    if (name.find(':') == std::string::npos) return NotA(name, "URI");
  } else if (name.find('@') == std::string::npos) {
    return NotA(name, "e-mail address");
  }
  return absl::StrCat(kind, name);
}

absl::StatusOr<ClientNames> ClientNames::Parse(const std::string& text) {
  ClientNames parsed;
  if (text == "off") return parsed;
  for (const std::string& name : std::vector<std::string>(absl::StrSplit(text, ','))) {
    absl::StatusOr<std::string> canonical = CanonicalClientName(name);
    if (!canonical.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(
          std::string(canonical.status().message()),
          "; wanted names such as shop.example, spiffe://example.org/shop or 10.0.0.1, separated "
          "by commas, or off"));
    }
    parsed.names_.insert(*std::move(canonical));
  }
  return parsed;
}

bool ClientNames::Allow(const std::vector<std::string>& names) const {
  return names_.empty() || std::any_of(names.begin(), names.end(), [this](const std::string& name) {
           return names_.contains(name);
         });
}

}  // namespace hellocnn::server
