// Responds to calls of methods that there are not.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_UNKNOWN_METHODS_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_UNKNOWN_METHODS_H_

#include <grpcpp/generic/async_generic_service.h>

#include <functional>
#include <string_view>

#include "absl/status/status.h"
#include "server/rpc/transport/grpc/completion_events.h"

namespace hellocnn::server {

// gRPC itself responds with UNIMPLEMENTED and no message, which some clients take for success.
// Thread-safe. Must outlive the server that it is registered with.
class UnknownMethods {
 public:
  // `status_of` returns the status for a path, "/pkg.Service/Method". It must be thread-safe.
  explicit UnknownMethods(std::function<absl::Status(std::string_view path)> status_of)
      : status_of_(std::move(status_of)) {}

  grpc::AsyncGenericService* service() { return &service_; }
  // Takes calls from now on. Must follow the start of the server. `events` outlive the calls.
  void Listen(CompletionEvents* events);

 private:
  class Call;

  const std::function<absl::Status(std::string_view path)> status_of_;
  grpc::AsyncGenericService service_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_UNKNOWN_METHODS_H_
