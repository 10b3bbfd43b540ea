// The address of a server, as ClientOptions::target has it.
#ifndef HELLOCNN_CLIENT_TARGET_H_
#define HELLOCNN_CLIENT_TARGET_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/address.h"

namespace hellocnn::client {

// Returns the addresses that a target names: one for "host:port" and "dns:///host:port", one or
// more for "ipv4:ip:port,ip:port" and "ipv6:[ip]:port", none for "unix:path", "unix:///path" and
// "unix-abstract:name". INVALID_ARGUMENT: the message names the target, and says what is wrong with
// it and how to write it instead.
absl::StatusOr<std::vector<HostPort>> ParseTarget(const std::string& target);

// Returns true if the host is this machine by its name or address alone: localhost, 127.0.0.0/8,
// ::1, and 0.0.0.0 and ::, which a client takes for this machine.
bool IsThisMachine(const std::string& host);

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_TARGET_H_
