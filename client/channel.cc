#include "client/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <cstdlib>

#include "client/target.h"

namespace hellocnn::client {

absl::StatusOr<Proxy> ChooseProxy(const ClientOptions& options) {
  const auto addresses = ParseTarget(options.target);
  if (!addresses.ok()) return addresses.status();
  return ChooseProxy(options.proxy, *addresses, [](const std::string& name) {
    const char* const value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  });
}

std::shared_ptr<grpc::Channel> MakeChannel(const ClientOptions& options,
                                           grpc::ChannelArguments arguments) {
  // gRPC's own choice would send loopback and Unix sockets through a proxy too.
  const absl::StatusOr<Proxy> proxy = ChooseProxy(options);
  if (proxy.ok() && !proxy->url.empty()) {
    arguments.SetString(GRPC_ARG_HTTP_PROXY, proxy->url);
  } else {
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  }
  std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
  if (options.tls.has_value()) {
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = options.tls->ca_certificates;
    credentials = grpc::SslCredentials(ssl);
  }
  return grpc::CreateCustomChannel(options.target, credentials, arguments);
}

}  // namespace hellocnn::client
