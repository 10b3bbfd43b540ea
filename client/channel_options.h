// ClientOptions, checked, and as gRPC wants them.
#ifndef HELLOCNN_CLIENT_CHANNEL_OPTIONS_H_
#define HELLOCNN_CLIENT_CHANNEL_OPTIONS_H_

#include <grpcpp/support/channel_arguments.h>

#include <string>

#include "absl/status/status.h"
#include "hellocnn/client/client_options.h"

namespace hellocnn::client {

// INVALID_ARGUMENT names the option that is out of range, and what is wanted.
absl::Status Validate(const ClientOptions& options);

// gRPC's service config, in JSON: balancing, retries, throttle. Of valid options.
std::string ServiceConfig(const ClientOptions& options);

// Of a channel with connections of its own, shared with no other channel. Of valid options.
grpc::ChannelArguments ChannelArguments(const ClientOptions& options);

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CHANNEL_OPTIONS_H_
