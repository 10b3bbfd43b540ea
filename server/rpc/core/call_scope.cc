#include "server/rpc/core/call_scope.h"

#include <cassert>
#include <utility>

namespace hellocnn::server {

Accounting::Accounting(Events* told, const Clock* time) : events(told), clock(time) {
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    reasons[i] = events->AddReason(ReasonOf::kRejection, kRejectionLabels[i]);
  }
}

void CallScope::Begin(const Accounting* accounting, MethodId method, Instant deadline,
                      std::size_t bytes) {
  assert(accounting_ == nullptr);
  accounting_ = accounting;
  method_ = method;
  start_ = accounting->clock->Now();
  deadline_ = deadline;
  code_ = absl::StatusCode::kOk;
  duration_ = absl::ZeroDuration();
  model_ = {};
  images_ = 0;
  confidences_.clear();
  accounting->events->OnReceived(method, bytes);
}

void CallScope::OnAccepted(ModelId model, int images) {
  model_ = model;
  accounting_->events->OnAccepted(method_, model, images);
}

void CallScope::OnRejected(RejectionReason reason) const {
  accounting_->events->OnRejected(method_, accounting_->reasons[static_cast<std::size_t>(reason)]);
}

void CallScope::OnReady(absl::StatusCode code) {
  code_ = code;
  duration_ = accounting_->clock->Now() - start_;
}

void CallScope::End(std::size_t sent_bytes) {
  Close({.method = method_,
         .code = code_,
         .duration = duration_,
         .sent_bytes = sent_bytes,
         .model = model_,
         .sent_images = images_,
         .confidences = confidences_});
}

void CallScope::EndGone(absl::StatusCode code) {
  Close({.method = method_,
         .code = code,
         .duration = duration_,
         .model = model_,
         .discarded_images = images_});
}

void CallScope::Close(const RequestEnd& end) {
  std::exchange(accounting_, nullptr)->events->OnEnd(end);
  ticket_ = {};
}

}  // namespace hellocnn::server
