#include "server/rpc/transport/grpc/grpc_transport.h"

#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <spdlog/spdlog.h>

#include <cstddef>
#include <deque>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/listen.h"
#include "base/unix_socket.h"
#include "server/rpc/transport/grpc/completion_events.h"
#include "server/rpc/transport/grpc/connections.h"
#include "server/rpc/transport/grpc/grpc_service.h"
#include "server/rpc/transport/grpc/unknown_methods.h"
#include "server/rpc/transport/messages.h"

namespace hellocnn::server {
namespace {

// The limit for one connection. Each call takes some 10 kB besides its messages. Further calls wait
// at the client.
constexpr int kMaxConcurrentCalls = 4096;

// The limit for connections, and for messages from their first byte until they are freed. A few of
// the largest messages are allowed in addition. At the limit, gRPC ends calls, and connections
// without calls, until there is room.
constexpr std::size_t kMemoryBytes = std::size_t{256} << 20;

// A client may ping this often, also without calls. By default gRPC takes a ping within 5 minutes
// of the last for an offence, and within 2 hours if there are no calls, and closes the connection
// after the third.
constexpr int kShortestPingIntervalMs = 5000;

// Puts a message of gRPC's library, which would go to standard error, into the log.
void Log(gpr_log_func_args* message) {
  const auto level =
      message->severity == GPR_LOG_SEVERITY_ERROR ? spdlog::level::err : spdlog::level::debug;
  spdlog::log(level, "gRPC: {}:{}: {}", message->file, message->line, message->message);
}

class GrpcTransport final : public Transport {
 public:
  explicit GrpcTransport(const std::vector<Service>& services)
      : unknown_methods_(
            [services](std::string_view path) { return NoSuchMethod(path, services); }) {
    for (const Service& service : services) services_.emplace_back(service);
  }

  absl::Status Start(const GrpcOptions& options) {
    gpr_set_log_function(Log);
    grpc::ServerBuilder builder;
    // With SO_REUSEPORT, a second server would silently take half of the first server's
    // connections.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // The grace period stays infinite, so the maximum age never interrupts calls and streams.
    if (options.max_connection_age > absl::ZeroDuration()) {
      builder.AddChannelArgument(
          GRPC_ARG_MAX_CONNECTION_AGE_MS,
          static_cast<int>(absl::ToInt64Milliseconds(options.max_connection_age)));
    }
    builder.SetMaxReceiveMessageSize(options.max_message_bytes);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxConcurrentCalls);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                               kShortestPingIntervalMs);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
    // gRPC checks the size of a message only after decompression, and 1 MB can decompress to 1 GB.
    builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
    builder.SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
    grpc::ResourceQuota memory("server");
    builder.SetResourceQuota(
        memory.Resize(kMemoryBytes + 8 * static_cast<std::size_t>(options.max_message_bytes)));
    for (GrpcService& service : services_) builder.RegisterService(&service);
    builder.RegisterAsyncGenericService(unknown_methods_.service());
    absl::Status status = Listen(options.listen, &builder);
    if (status.ok()) {
      for (GrpcService& service : services_) service.Listen(events_.get());
      unknown_methods_.Listen(events_.get());
    }
    return status;
  }

  const std::string& address() const override { return address_; }
  EventQueue* events() override { return events_.get(); }
  int connections() const override { return CountConnections(); }
  void GoAway() override {}
  void StopAccepting() override {}
  void Stop(absl::Duration grace) override {
    // The deadline is monotonic, because a deadline on the wall clock would move when the clock is
    // set.
    server_->Shutdown(
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                     gpr_time_from_nanos(absl::ToInt64Nanoseconds(grace), GPR_TIMESPAN)));
    server_->Wait();
  }

 private:
  // Starts the server and sets address_.
  absl::Status Listen(const std::string& listen, grpc::ServerBuilder* builder) {
    if (IsUnixAddress(listen)) {
      // gRPC would take the socket of a server that lives away from it.
      return TakeUnixSocket(listen, [&](const std::string& path) {
        int port = 0;
        absl::Status status = Bind(listen, "unix:" + path, builder, &port);
        if (status.ok()) address_ = listen;
        return status;
      });
    }
    // gRPC would listen on all addresses of a name, be content with some of them, and take 0.0.0.0
    // for both families.
    const absl::StatusOr<HostPort> resolved = ResolveToListen(listen);
    if (!resolved.ok()) return resolved.status();
    const Ipv4Only ipv4_only(*resolved);
    int port = 0;
    absl::Status status = Bind(listen, JoinHostPort(ipv4_only.address()), builder, &port);
    if (status.ok()) address_ = WithPort(listen, port);
    return status;
  }
  // Starts the server at `address`, which is what `listen` means.
  absl::Status Bind(const std::string& listen, const std::string& address,
                    grpc::ServerBuilder* builder, int* port) {
    builder->AddListeningPort(address, grpc::InsecureServerCredentials(), port);
    auto events = std::make_unique<CompletionEvents>(builder->AddCompletionQueue());
    server_ = builder->BuildAndStart();
    events_ = std::move(events);
    if (server_ != nullptr && *port != 0) return absl::OkStatus();
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", listen, ": gRPC could not; its lines above say why"));
  }

  // In the order of construction. ~CompletionEvents says why it is destroyed before the server.
  std::deque<GrpcService> services_;
  UnknownMethods unknown_methods_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<CompletionEvents> events_;
  std::string address_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> StartGrpcTransport(
    const GrpcOptions& options, const std::vector<Service>& services) {
  auto transport = std::make_unique<GrpcTransport>(services);
  if (absl::Status status = transport->Start(options); !status.ok()) return status;
  return transport;
}

std::string GrpcVersion() { return grpc::Version(); }

std::string WithPort(const std::string& address, int port) {
  return absl::StrCat(address.substr(0, address.rfind(':') + 1), port);
}

}  // namespace hellocnn::server
