#include "server/rpc/transport/grpc/grpc_caller.h"

#include <grpc/grpc.h>
#include <grpc/support/alloc.h>

#include <memory>
#include <string_view>

#include "server/rpc/transport/caller.h"

namespace hellocnn::server {

// ServerContext::peer() would copy the text once more.
std::uint64_t CallerAt(grpc::ServerContext* context) {
  const std::unique_ptr<char, decltype(&gpr_free)> owner(grpc_call_get_peer(context->c_call()),
                                                         &gpr_free);
  const std::string_view peer = owner.get();  // "ipv4:127.0.0.1:1234", "unix:" or "unix:/path"
  return CallerOf("", peer.starts_with("unix") ? "unix" : peer.substr(0, peer.rfind(':')));
}

}  // namespace hellocnn::server
