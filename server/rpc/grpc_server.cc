#include "server/rpc/grpc_server.h"

#include <grpc/support/time.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <cstddef>

#include "absl/strings/str_cat.h"

namespace hellocnn::server {

// Of one connection, where calls cost some 10 kB each besides their messages. A client's further
// calls wait at the client.
constexpr int kMaxConcurrentCalls = 4096;

// For connections, and messages from their first byte until they are given back; and a few of the
// largest messages besides. At the limit gRPC ends calls, and connections without calls, until
// there is room.
constexpr std::size_t kMemoryBytes = std::size_t{256} << 20;

absl::StatusOr<GrpcServer> StartGrpcServer(const GrpcServerOptions& options,
                                           const std::vector<grpc::Service*>& services) {
  grpc::ServerBuilder builder;
  // With SO_REUSEPORT a second server would take half of the first one's connections, and nobody
  // would notice.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // The grace stays infinite: calls and streams that run end when they end.
  if (options.max_connection_age > absl::ZeroDuration()) {
    builder.AddChannelArgument(
        GRPC_ARG_MAX_CONNECTION_AGE_MS,
        static_cast<int>(absl::ToInt64Milliseconds(options.max_connection_age)));
  }
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxConcurrentCalls);
  // A message is measured only when it is inflated: 1 MB of these makes 1 GB.
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  grpc::ResourceQuota memory("server");
  builder.SetResourceQuota(
      memory.Resize(kMemoryBytes + 8 * static_cast<std::size_t>(options.max_message_bytes)));
  for (grpc::Service* service : services) builder.RegisterService(service);
  int port = 0;
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(), &port);
  auto events = std::make_unique<CompletionEvents>(builder.AddCompletionQueue());
  GrpcServer started{builder.BuildAndStart(), std::move(events), ""};
  if (started.server == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", options.listen,
                                               " for gRPC: the address is in use, not "
                                               "of this machine or not permitted"));
  }
  started.address = WithPort(options.listen, port);
  return started;
}

void ShutDown(grpc::Server* server, absl::Duration grace) {
  // A deadline on the wall clock would move when that is set.
  server->Shutdown(
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_nanos(absl::ToInt64Nanoseconds(grace), GPR_TIMESPAN)));
}

std::string WithPort(const std::string& address, int port) {
  return absl::StrCat(address.substr(0, address.rfind(':') + 1), port);
}

}  // namespace hellocnn::server
