// Validates ClientOptions and converts them for gRPC.
#ifndef HELLOCNN_CLIENT_CHANNEL_OPTIONS_H_
#define HELLOCNN_CLIENT_CHANNEL_OPTIONS_H_

#include <grpcpp/support/channel_arguments.h>

#include <string>

#include "absl/status/status.h"
#include "hellocnn/client/client_options.h"

namespace hellocnn::client {

// Returns OK, or INVALID_ARGUMENT if an option is out of range. The message names the option, the
// value found and the values wanted.
absl::Status Validate(const ClientOptions& options);

// Returns gRPC's service config in JSON: load balancing, retries and the throttle. `options` must
// be valid.
std::string ServiceConfig(const ClientOptions& options);

// Returns the arguments of a channel whose connections are shared with no other channel. The first
// backoff in it is random, so each channel needs arguments of its own. `options` must be valid.
grpc::ChannelArguments ChannelArguments(const ClientOptions& options);

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CHANNEL_OPTIONS_H_
