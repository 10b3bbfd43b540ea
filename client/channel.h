// Makes the channels of a client: encrypted or not, through a proxy or not.
#ifndef HELLOCNN_CLIENT_CHANNEL_H_
#define HELLOCNN_CLIENT_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>

#include "client/proxy.h"
#include "client/token.h"
#include "hellocnn/client/client_options.h"

namespace hellocnn::client {

// Returns the proxy for the options' target, as the environment of this process has it. Errors are
// those of ParseTarget and of ChooseProxy.
absl::StatusOr<Proxy> ChooseProxy(const ClientOptions& options);

// Returns a new channel to the options' target with `arguments` besides. `options` must be valid.
// Every call over the channel carries `token`, unless that is null. Does not block.
std::shared_ptr<grpc::Channel> MakeChannel(const ClientOptions& options,
                                           grpc::ChannelArguments arguments,
                                           std::shared_ptr<TokenSource> token);

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CHANNEL_H_
