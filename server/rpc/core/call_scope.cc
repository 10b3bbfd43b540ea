#include "server/rpc/core/call_scope.h"

#include <cassert>
#include <string>
#include <utility>

#include "server/access/principal.h"
#include "server/rpc/core/codec.h"

namespace hellocnn::server {

Accounting::Accounting(Events* told, const Clock* time, RequestLog* requests)
    : events(told), log(requests), clock(time), comparer(told, time) {
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    reasons[i] = events->AddReason(ReasonOf::kRejection, kRejectionLabels[i]);
  }
}

void CallScope::Begin(const Accounting* accounting, ServedMethod method, Instant deadline,
                      std::size_t bytes) {
  assert(accounting_ == nullptr);
  accounting_ = accounting;
  method_ = method;
  start_ = accounting->clock->Now();
  deadline_ = deadline;
  code_ = absl::StatusCode::kOk;
  duration_ = absl::ZeroDuration();
  images_ = 0;
  timing_.reset();
  rejected_.reset();
  confidences_.clear();
  accounting->events->OnReceived(method.id, bytes);
}

void CallScope::OnAccepted(int images) {
  accounting_->events->OnAccepted(method_.id, model(), images);
}

void CallScope::OnRejected(RejectionReason reason) {
  rejected_ = reason;
  accounting_->events->OnRejected(method_.id, model(),
                                  accounting_->reasons[static_cast<std::size_t>(reason)]);
}

void CallScope::OnComputed(const ComputedRequest& computed) {
  images_ = static_cast<int>(computed.images.size());
  timing_ = computed.timing;
  if (accounting_->events->wants_statistics()) {
    ListConfidences(computed.log_probabilities, servable().classes(), &confidences_);
  }
  accounting_->comparer.Compare(route_, computed);
  route_.compared = nullptr;
}

void CallScope::OnReady(const absl::Status& status, const Rpc& rpc) {
  code_ = status.code();
  duration_ = accounting_->clock->Now() - start_;
  if (accounting_->log == nullptr) return;
  const std::optional<RequestLog::Line> line = accounting_->log->Next(code_, duration_);
  if (line.has_value()) Log(*line, status, rpc);
}

void CallScope::Log(const RequestLog::Line& line, const absl::Status& status,
                    const Rpc& rpc) const {
  const std::string peer = rpc.Peer();
  const std::string message(status.message());
  RequestLog::Request request = {.method = method_.name,
                                 .code = status.code(),
                                 .message = message,
                                 .images = images_,
                                 .duration = duration_,
                                 .peer = peer,
                                 .request_id = rpc.Metadata(kRequestIdKey).value_or(""),
                                 .traceparent = rpc.Metadata("traceparent").value_or("")};
  if (rpc.principal() != nullptr) request.principal = rpc.principal()->name();
  if (rejected_.has_value()) {
    request.rejected = kRejectionLabels[static_cast<std::size_t>(*rejected_)];
  }
  if (timing_.has_value()) {
    request.queue = timing_->queue;
    request.compute = timing_->compute;
  }
  accounting_->log->Write(line, request);
}

void CallScope::End(std::size_t sent_bytes) {
  Report({.method = method_.id,
          .model = model(),
          .code = code_,
          .duration = duration_,
          .sent_bytes = sent_bytes,
          .sent_images = images_,
          .confidences = confidences_});
}

void CallScope::EndGone(absl::StatusCode code) {
  Report({.method = method_.id,
          .model = model(),
          .code = code,
          .duration = duration_,
          .discarded_images = images_});
}

void CallScope::Report(const RequestEnd& end) {
  std::exchange(accounting_, nullptr)->events->OnEnd(end);
  route_ = {};
  ticket_ = {};
}

}  // namespace hellocnn::server
