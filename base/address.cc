#include "base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/shown.h"

namespace hellocnn {
namespace {

constexpr std::size_t kLongestName = 253;  // of DNS
constexpr int kLargestPort = 65535;

template <typename... Piece>
absl::Status Wrong(const Piece&... pieces) {
  return absl::InvalidArgumentError(absl::StrCat(pieces...));
}

bool IsIpv6(const std::string& host) {
  // A zone, as in fe80::1%eth0, names an interface.
  const std::string address = host.substr(0, host.find('%'));
  in6_addr parsed;
  return inet_pton(AF_INET6, address.c_str(), &parsed) == 1;
}

absl::Status CheckName(const std::string& host) {
  if (host.size() > kLongestName) {
    return Wrong("the host has ", host.size(), " characters; a name has at most ", kLongestName);
  }
  const auto odd = std::find_if_not(host.begin(), host.end(), [](unsigned char character) {
    return absl::ascii_isalnum(character) || character == '.' || character == '-' ||
           character == '_';
  });
  if (odd != host.end()) {
    return Wrong(
        "the host has a character that is not a letter, a digit, a dot or a hyphen; wanted "
        "host:port, such as 127.0.0.1:8500");
  }
  in_addr parsed;
  if (host.find_first_not_of("0123456789.") == std::string::npos &&
      inet_pton(AF_INET, host.c_str(), &parsed) != 1) {
    return Wrong(
        "the host is not an IPv4 address; wanted four numbers from 0 to 255, such as "
        "127.0.0.1");
  }
  return absl::OkStatus();
}

absl::StatusOr<int> ParsePort(const std::string& text) {
  if (text.empty()) return Wrong("no port follows the colon; wanted host:port");
  int port = 0;
  const bool digits = std::all_of(text.begin(), text.end(),
                                  [](unsigned char digit) { return absl::ascii_isdigit(digit); });
  // SimpleAtoi fails for a number that does not fit into an int, and takes a sign and spaces.
  if (!digits) return Wrong("the port is not a number; wanted 0 to ", kLargestPort);
  if (!absl::SimpleAtoi(text, &port) || port > kLargestPort) {
    return Wrong("the port is too large; wanted at most ", kLargestPort);
  }
  return port;
}

}  // namespace

absl::StatusOr<HostPort> ParseHostPort(std::string_view given) {
  const std::string text(given);
  constexpr char kWanted[] = "wanted host:port, such as 127.0.0.1:8500 or [::1]:8500";
  if (text.empty()) return Wrong("it is empty; ", kWanted);
  if (std::any_of(text.begin(), text.end(), [](unsigned char character) {
        return absl::ascii_isspace(character) || absl::ascii_iscntrl(character);
      })) {
    return Wrong("it has a space or a control character in it; ", kWanted);
  }
  if (text.find("://") != std::string::npos) {
    return Wrong("it is a URL; ", kWanted, ", without ",
                 Shown(text.substr(0, text.find("://") + 3)));
  }
  if (text.find('/') != std::string::npos) return Wrong("it has a / in it; ", kWanted);

  HostPort address;
  std::string port;
  if (text.front() == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string::npos) return Wrong("the bracket is not closed; ", kWanted);
    address.host = text.substr(1, close - 1);
    if (!IsIpv6(address.host)) return Wrong("what is in brackets is no IPv6 address; ", kWanted);
    if (close + 1 == text.size() || text[close + 1] != ':') {
      return Wrong("no port follows the bracket; wanted [", Shown(address.host), "]:port");
    }
    port = text.substr(close + 2);
  } else {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos) return Wrong("it has no port; ", kWanted);
    if (text.find(':') != colon) {
      return IsIpv6(text)
                 ? Wrong("an IPv6 address needs brackets and a port; wanted [", Shown(text),
                         "]:port")
                 : Wrong("it has more than one colon, and an IPv6 address needs brackets; ",
                         kWanted);
    }
    if (colon == 0) {
      return Wrong("it has no host; wanted host:port, such as 127.0.0.1", Shown(text),
                   ", or 0.0.0.0", Shown(text), " to listen on every IPv4 address");
    }
    address.host = text.substr(0, colon);
    if (absl::Status status = CheckName(address.host); !status.ok()) return status;
    port = text.substr(colon + 1);
  }
  const absl::StatusOr<int> number = ParsePort(port);
  if (!number.ok()) return number.status();
  address.port = *number;
  return address;
}

std::string JoinHostPort(const HostPort& address) {
  const bool ipv6 = address.host.find(':') != std::string::npos;
  return absl::StrCat(ipv6 ? "[" : "", address.host, ipv6 ? "]:" : ":", address.port);
}

}  // namespace hellocnn
