// Addresses as people write them: a host and a port.
#ifndef HELLOCNN_BASE_ADDRESS_H_
#define HELLOCNN_BASE_ADDRESS_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace hellocnn {

struct HostPort {
  std::string host;  // a name, an IPv4 address, or an IPv6 address without its brackets
  int port = 0;      // 0 to 65535
};

// Reads "host:port", "127.0.0.1:8500" or "[::1]:8500". Does not look the name up. Thread-safe.
//
// INVALID_ARGUMENT: the message says what is wrong with the text and how to write it instead, but
// does not repeat the text. It continues a sentence such as `--listen is "…": `.
absl::StatusOr<HostPort> ParseHostPort(std::string_view text);

// Returns "host:port", with brackets around an IPv6 address.
std::string JoinHostPort(const HostPort& address);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_ADDRESS_H_
