// Which HTTP proxy a client goes through.
#ifndef HELLOCNN_CLIENT_PROXY_H_
#define HELLOCNN_CLIENT_PROXY_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/address.h"

namespace hellocnn::client {

struct Proxy {
  std::string url;   // "http://user:password@host:port"; empty for no proxy
  std::string note;  // for messages, without the password: which proxy is used, or is not; or empty
};

// Returns the value of an environment variable, or "" if it is not set.
using Environment = std::function<std::string(const std::string& name)>;

// Returns the proxy for a target with these addresses. `wanted` is ClientOptions::proxy.
//
// There is no proxy for Unix sockets, for lists of addresses, for this machine, and for hosts that
// no_proxy or NO_PROXY names: by "*", a domain (with its subdomains), an address or a range such as
// 10.0.0.0/8, each with or without a port. With "environment", the first of grpc_proxy, https_proxy
// and http_proxy that is set counts, in small letters before capitals.
//
// INVALID_ARGUMENT: the proxy is not an HTTP proxy; the message names its source.
absl::StatusOr<Proxy> ChooseProxy(const std::string& wanted, const std::vector<HostPort>& addresses,
                                  const Environment& environment);

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_PROXY_H_
