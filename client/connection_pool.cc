#include "client/connection_pool.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cancellation.h"
#include "client/channel.h"
#include "client/channel_options.h"
#include "client/convert.h"
#include "client/grpc_time.h"
#include "client/target.h"

namespace hellocnn::client {
namespace {

// How long a failed call may take longer, to find out what the server speaks, and how often.
constexpr absl::Duration kProbeTimeout = absl::Seconds(2);
constexpr absl::Duration kProbeInterval = absl::Seconds(10);

}  // namespace

ConnectionPool::ConnectionPool(ClientOptions options, const std::shared_ptr<TokenSource>& token)
    : options_(std::move(options)),
      addresses_(*ParseTarget(options_.target)),
      proxy_(*ChooseProxy(options_)),
      shown_target_(absl::StrCat(options_.target, proxy_.note)) {
  if (options_.hedge.has_value())
    hedge_budget_ = std::make_unique<HedgeBudget>(options_.hedge->max_share);
  Reconnector::Channels channels;
  for (int i = 0; i < options_.connections; ++i) {
    std::shared_ptr<grpc::Channel> channel =
        MakeChannel(options_, ChannelArguments(options_), token);
    std::unique_ptr<v1::ClassifierService::Stub> stub = v1::ClassifierService::NewStub(channel);
    channels.push_back(channel);
    connections_.push_back({std::move(channel), std::move(stub)});
  }
  reconnector_ = std::make_unique<Reconnector>(std::move(channels));
}

absl::StatusOr<Instant> ConnectionPool::Deadline(const CallOptions& call) const {
  const absl::StatusOr<absl::Duration> timeout = TimeoutOr(call.timeout, options_.default_timeout);
  if (!timeout.ok()) return timeout.status();
  return Clock::Monotonic()->Now() + *timeout;
}

absl::Status ConnectionPool::Call(
    const char* method, int images, const CallOptions& call,
    const std::function<absl::Status(grpc::ClientContext&, Connection&)>& send) {
  const absl::StatusOr<Instant> deadline = Deadline(call);
  if (!deadline.ok()) return deadline.status();
  const auto context = std::make_shared<grpc::ClientContext>();
  context->set_deadline(ToGrpcTime(*deadline));
  const CancellationRegistration registration(call.cancellation,
                                              [context] { context->TryCancel(); });
  const Instant start = Clock::Monotonic()->Now();
  absl::Status status = Explain(send(*context, At(TakeTurn())), *deadline);
  status = NameCanceller(std::move(status), registration.cancelled(), shown_target_);
  Report({.method = method,
          .status = status,
          .duration = Clock::Monotonic()->Now() - start,
          .images = images});
  return status;
}

absl::Status ConnectionPool::Explain(absl::Status status, Instant deadline) {
  // The server itself may be unavailable too; gRPC's own failures to connect have a last error.
  if (!absl::IsUnavailable(status) || options_.tls.has_value() || addresses_.empty() ||
      !proxy_.url.empty() || !absl::StrContains(status.message(), "last error") ||
      absl::StrContains(status.message(), "Connection refused")) {
    return status;
  }
  const Instant now = Clock::Monotonic()->Now();
  std::optional<Protocol> protocol;
  {
    const MutexLock lock(&mutex_);
    if (now < probe_again_) protocol = probed_;
  }
  if (!protocol.has_value()) {
    protocol = ProbeServer(addresses_.front(), std::min(deadline, now + kProbeTimeout));
    const MutexLock lock(&mutex_);
    probed_ = *protocol;
    probe_again_ = now + kProbeInterval;
  }
  switch (*protocol) {
    case Protocol::kTls:
      return absl::UnavailableError(absl::StrCat("the server at ", shown_target_,
                                                 " speaks TLS: use --tls (ClientOptions::tls)"));
    case Protocol::kHttp1:
      return absl::UnavailableError(absl::StrCat("the server at ", shown_target_,
                                                 " speaks HTTP/1 and not gRPC: is that the metrics "
                                                 "port? Wanted is the address of --listen, "
                                                 "such as 127.0.0.1:8500"));
    case Protocol::kUnknown:
      break;
  }
  return status;
}

void ConnectionPool::Report(const CallReport& report) {
  if (absl::IsUnavailable(report.status)) reconnector_->Mend();
  if (options_.on_call_end) options_.on_call_end(report);
}

}  // namespace hellocnn::client
