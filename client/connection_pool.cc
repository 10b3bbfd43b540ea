#include "client/connection_pool.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <utility>

#include "client/cancellation.h"
#include "client/channel_options.h"
#include "client/convert.h"
#include "client/grpc_time.h"

namespace hellocnn::client {

ConnectionPool::ConnectionPool(ClientOptions options) : options_(std::move(options)) {
  if (options_.hedge.has_value())
    hedge_budget_ = std::make_unique<HedgeBudget>(options_.hedge->max_share);
  const grpc::ChannelArguments arguments = ChannelArguments(options_);
  Reconnector::Channels channels;
  for (int i = 0; i < options_.connections; ++i) {
    std::shared_ptr<grpc::Channel> channel =
        grpc::CreateCustomChannel(options_.target, grpc::InsecureChannelCredentials(), arguments);
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
  absl::Status status = send(*context, At(TakeTurn()));
  Report({.method = method,
          .status = status,
          .duration = Clock::Monotonic()->Now() - start,
          .images = images});
  return status;
}

void ConnectionPool::Report(const CallReport& report) {
  if (absl::IsUnavailable(report.status)) reconnector_->Mend();
  if (options_.on_call_end) options_.on_call_end(report);
}

}  // namespace hellocnn::client
