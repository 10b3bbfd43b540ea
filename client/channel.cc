#include "client/channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/client_interceptor.h>

#include <cstdlib>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "client/target.h"

namespace hellocnn::client {
namespace {

std::string TokenNow(TokenSource& token) { return *token.Header(Clock::Monotonic()->Now()); }

// Adds the token to the calls of an encrypted channel, and to those by which gRPC itself follows
// the health of its addresses.
class TokenPlugin : public grpc::MetadataCredentialsPlugin {
 public:
  explicit TokenPlugin(std::shared_ptr<TokenSource> token) : token_(std::move(token)) {}

  // A small file is read once a second, which is faster than another thread.
  bool IsBlocking() const override { return false; }
  const char* GetType() const override { return "hellocnn-token"; }
  grpc::string DebugString() override { return "a token"; }
  grpc::Status GetMetadata(grpc::string_ref, grpc::string_ref, const grpc::AuthContext&,
                           std::multimap<grpc::string, grpc::string>* metadata) override {
    metadata->emplace(kTokenHeader, TokenNow(*token_));
    return grpc::Status::OK;
  }

 private:
  const std::shared_ptr<TokenSource> token_;
};

// Adds the token to the calls of a channel that is not encrypted, for which gRPC takes no
// credentials.
class TokenInterceptor : public grpc::experimental::Interceptor {
 public:
  explicit TokenInterceptor(std::shared_ptr<TokenSource> token) : token_(std::move(token)) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* call) override {
    if (call->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      call->GetSendInitialMetadata()->emplace(kTokenHeader, TokenNow(*token_));
    }
    call->Proceed();
  }

 private:
  const std::shared_ptr<TokenSource> token_;
};

class TokenInterceptors : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TokenInterceptors(std::shared_ptr<TokenSource> token) : token_(std::move(token)) {}

  // gRPC owns what it returns.
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new TokenInterceptor(token_);
  }

 private:
  const std::shared_ptr<TokenSource> token_;
};

}  // namespace

absl::StatusOr<Proxy> ChooseProxy(const ClientOptions& options) {
  const auto addresses = ParseTarget(options.target);
  if (!addresses.ok()) return addresses.status();
  return ChooseProxy(options.proxy, *addresses, [](const std::string& name) {
    const char* const value = std::getenv(name.c_str());
    return std::string(value == nullptr ? "" : value);
  });
}

std::shared_ptr<grpc::Channel> MakeChannel(const ClientOptions& options,
                                           grpc::ChannelArguments arguments,
                                           std::shared_ptr<TokenSource> token) {
  // gRPC's own choice would send loopback and Unix sockets through a proxy too.
  const absl::StatusOr<Proxy> proxy = ChooseProxy(options);
  if (proxy.ok() && !proxy->url.empty()) {
    arguments.SetString(GRPC_ARG_HTTP_PROXY, proxy->url);
  } else {
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  }
  if (options.tls.has_value()) {
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = options.tls->ca_certificates;
    std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::SslCredentials(ssl);
    if (token != nullptr) {
      credentials = grpc::CompositeChannelCredentials(
          credentials,
          grpc::MetadataCredentialsFromPlugin(std::make_unique<TokenPlugin>(std::move(token))));
    }
    return grpc::CreateCustomChannel(options.target, credentials, arguments);
  }
  if (token == nullptr) {
    return grpc::CreateCustomChannel(options.target, grpc::InsecureChannelCredentials(), arguments);
  }
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<TokenInterceptors>(std::move(token)));
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      options.target, grpc::InsecureChannelCredentials(), arguments, std::move(interceptors));
}

}  // namespace hellocnn::client
