#include "server/rpc/transport/grpc/grpc_service.h"

#include <grpcpp/impl/rpc_service_method.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hellocnn::server {

// gRPC numbers the methods in the order of AddMethod: the unary ones come first.
GrpcService::GrpcService(hellocnn::server::Service service)
    : service_(std::move(service)), idle_(service_.unary.size()) {
  int added = 0;
  const auto add = [&](const std::string& method, grpc::internal::RpcMethod::RpcType type) {
    const std::string& path = paths_.emplace_back(absl::StrCat("/", service_.name, "/", method));
    AddMethod(new grpc::internal::RpcServiceMethod(path.c_str(), type, /*handler=*/nullptr));
    MarkMethodRaw(added++);
  };
  for (const UnaryMethod& method : service_.unary) {
    add(method.name, grpc::internal::RpcMethod::NORMAL_RPC);
  }
  for (const StreamMethod& method : service_.streams) {
    add(method.name, grpc::internal::RpcMethod::BIDI_STREAMING);
  }
}

void GrpcService::Listen(CompletionEvents* events) {
  events_ = events;
  for (std::size_t method = 0; method < service_.unary.size(); ++method) {
    for (int i = 0; i < service_.unary[method].burst; ++i) ListenUnary(method);
  }
  for (std::size_t method = 0; method < service_.streams.size(); ++method) ListenStream(method);
}

void GrpcService::ListenUnary(std::size_t method) {
  std::unique_ptr<GrpcUnaryRpc> rpc = idle_[method].Take();
  if (rpc == nullptr) {
    rpc = std::make_unique<GrpcUnaryRpc>(this, method, events_);
    rpc->SetHandler(service_.unary[method].make_handler(rpc.get()));
  }
  rpc.release()->Listen();
}

void GrpcService::ListenStream(std::size_t method) {
  (new GrpcStreamRpc(this, method, events_))->Listen();
}

void GrpcService::RequestUnary(std::size_t method, grpc::ServerContext* context,
                               grpc::ByteBuffer* request,
                               grpc::internal::ServerAsyncStreamingInterface* writer,
                               grpc::ServerCompletionQueue* queue, void* tag) {
  RequestAsyncUnary(static_cast<int>(method), context, request, writer, queue, queue, tag);
}

void GrpcService::RequestStream(std::size_t method, grpc::ServerContext* context,
                                grpc::internal::ServerAsyncStreamingInterface* stream,
                                grpc::ServerCompletionQueue* queue, void* tag) {
  RequestAsyncBidiStreaming(static_cast<int>(service_.unary.size() + method), context, stream,
                            queue, queue, tag);
}

}  // namespace hellocnn::server
