#include "server/rpc/grpc_server.h"

#include <grpc/support/time.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <cstddef>

#include "absl/strings/str_cat.h"

namespace hellocnn::server {

// The limit for one connection. Each call takes some 10 kB besides its messages. Further calls wait
// at the client.
constexpr int kMaxConcurrentCalls = 4096;

// The limit for connections, and for messages from their first byte until they are freed. A few of
// the largest messages are allowed in addition. At the limit, gRPC ends calls, and connections
// without calls, until there is room.
constexpr std::size_t kMemoryBytes = std::size_t{256} << 20;

absl::StatusOr<GrpcServer> StartGrpcServer(const GrpcServerOptions& options,
                                           const std::vector<grpc::Service*>& services) {
  grpc::ServerBuilder builder;
  // With SO_REUSEPORT, a second server would silently take half of the first server's connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // The grace period stays infinite, so the maximum age never interrupts calls and streams.
  if (options.max_connection_age > absl::ZeroDuration()) {
    builder.AddChannelArgument(
        GRPC_ARG_MAX_CONNECTION_AGE_MS,
        static_cast<int>(absl::ToInt64Milliseconds(options.max_connection_age)));
  }
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxConcurrentCalls);
  // gRPC checks the size of a message only after decompression, and 1 MB can decompress to 1 GB.
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
  // The deadline is monotonic, because a deadline on the wall clock would move when the clock is
  // set.
  server->Shutdown(
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                   gpr_time_from_nanos(absl::ToInt64Nanoseconds(grace), GPR_TIMESPAN)));
}

std::string WithPort(const std::string& address, int port) {
  return absl::StrCat(address.substr(0, address.rfind(':') + 1), port);
}

}  // namespace hellocnn::server
