// A Service of the transport as a service of gRPC.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_SERVICE_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_SERVICE_H_

#include <grpcpp/impl/service_type.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "server/rpc/transport/grpc/completion_events.h"
#include "server/rpc/transport/grpc/grpc_rpc.h"
#include "server/rpc/transport/idle_calls.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

// Does by itself what generated code does for asynchronous, raw methods, so that services need no
// generated code. Must outlive the gRPC server and the calls. Thread-safe.
class GrpcService final : public grpc::Service {
 public:
  explicit GrpcService(hellocnn::server::Service service);

  // Takes the calls of a server that has started. Must be called once. `events` must outlive the
  // calls.
  void Listen(CompletionEvents* events);

  // The following functions are for calls. They take the index of a method of its kind.

  // Hand an object to gRPC for the next call of the method.
  void ListenUnary(std::size_t method);
  void ListenStream(std::size_t method);
  // Start to wait for a call. `tag` completes when the call has arrived.
  void RequestUnary(std::size_t method, grpc::ServerContext* context, grpc::ByteBuffer* request,
                    grpc::internal::ServerAsyncStreamingInterface* writer,
                    grpc::ServerCompletionQueue* queue, void* tag);
  void RequestStream(std::size_t method, grpc::ServerContext* context,
                     grpc::internal::ServerAsyncStreamingInterface* stream,
                     grpc::ServerCompletionQueue* queue, void* tag);
  // Keeps an object for a later call of the method.
  void Keep(std::size_t method, std::unique_ptr<GrpcUnaryRpc> rpc) {
    idle_[method].Put(std::move(rpc));
  }
  std::shared_ptr<StreamHandler> MakeHandler(std::size_t method, StreamRpc* rpc) const {
    return service_.streams[method].make_handler(rpc);
  }

 private:
  const hellocnn::server::Service service_;
  std::deque<std::string> paths_;             // gRPC keeps pointers to them
  CompletionEvents* events_ = nullptr;        // set once
  std::deque<IdleCalls<GrpcUnaryRpc>> idle_;  // by unary method
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_GRPC_GRPC_SERVICE_H_
