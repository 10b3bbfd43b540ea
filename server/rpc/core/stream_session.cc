#include "server/rpc/core/stream_session.h"

#include <cstddef>
#include <utility>

namespace hellocnn::server {

int StreamSession::Open() {
  Steps steps;
  PlanRead(&steps);
  return *steps.read;
}

void StreamSession::Reject() {
  Free(*reading_);
  reading_.reset();
  --starting_reads_;
  finished_ = true;
}

StreamSession::Steps StreamSession::OnReadStarted() {
  Steps steps;
  --starting_reads_;
  PlanRest(&steps);
  return steps;
}

StreamSession::Message StreamSession::OnRead() {
  Message message{.accepted = !finished_, .steps = {}};
  const int slot = *std::exchange(reading_, std::nullopt);
  if (finished_) {
    Free(slot);
    return message;
  }
  ++in_flight_;
  if (order_ == Order::kOfRequests && !gone_) waiting_.Push(slot);
  PlanRead(&message.steps);
  return message;
}

StreamSession::Steps StreamSession::OnReadEnded() {
  Steps steps;
  Free(*std::exchange(reading_, std::nullopt));
  reading_ended_ = true;
  PlanRest(&steps);
  return steps;
}

StreamSession::Steps StreamSession::OnMalformed(int slot, const Rejection& rejection) {
  Steps steps;
  Free(slot);
  --in_flight_;
  if (order_ == Order::kOfRequests) {
    waiting_.Remove(slot);
    ReleaseEarly();
  }
  reading_ended_ = true;
  if (!std::exchange(malformed_, true)) end_ = rejection;
  PlanRest(&steps);
  return steps;
}

StreamSession::MayCompute StreamSession::StartComputing(int slot) {
  if (draining_) return MayCompute::kDraining;
  if (gone_) return MayCompute::kGone;
  computing_.insert(slot);
  return MayCompute::kYes;
}

StreamSession::Steps StreamSession::OnReady(int slot) {
  Steps steps;
  computing_.erase(slot);
  if (gone_) {
    steps.discard.insert(slot);
    Free(slot);
    --in_flight_;
  } else if (order_ == Order::kOfRequests) {
    early_.insert(slot);
    ReleaseEarly();
  } else {
    ready_.Push(slot);
  }
  PlanRest(&steps);
  return steps;
}

StreamSession::Steps StreamSession::OnWritten(bool ok) {
  Steps steps;
  Free(*std::exchange(writing_, std::nullopt));
  --in_flight_;
  if (!ok) Break(&steps);
  PlanRead(&steps);
  PlanRest(&steps);
  return steps;
}

StreamSession::Steps StreamSession::OnCancelled() {
  Steps steps;
  Break(&steps);
  PlanRest(&steps);
  return steps;
}

StreamSession::Steps StreamSession::OnDrain() {
  Steps steps;
  draining_ = true;
  PlanRest(&steps);
  return steps;
}

absl::Status StreamSession::EndStatus() const {
  if (gone_) return absl::CancelledError();
  return reading_ended_ && !malformed_ ? absl::OkStatus() : end_.status;
}

void StreamSession::PlanRead(Steps* steps) {
  if (reading_.has_value() || finished_ || gone_ || reading_ended_) return;
  if (draining_ && computing_.empty()) return;
  if (in_flight_ >= kMaxInFlight) return;
  reading_ = used_.LowestMissing();
  used_.insert(*reading_);
  ++starting_reads_;
  steps->read = reading_;
}

void StreamSession::PlanRest(Steps* steps) {
  if (!writing_.has_value() && !ready_.empty()) {
    writing_ = ready_.Pop();
    steps->write = writing_;
  } else if (in_flight_ == 0 && starting_reads_ == 0 && !finished_ &&
             (reading_ended_ || draining_ || gone_)) {
    finished_ = true;
    steps->finish = EndStatus();
  }
}

void StreamSession::Break(Steps* steps) {
  if (gone_) return;
  gone_ = true;
  steps->cancel = computing_;
  const auto discard = [&](int slot) {
    steps->discard.insert(slot);
    Free(slot);
    --in_flight_;
  };
  while (!ready_.empty()) discard(ready_.Pop());
  early_.ForEach(discard);
  early_ = {};
  waiting_ = {};
}

void StreamSession::ReleaseEarly() {
  while (!waiting_.empty() && early_.contains(waiting_.front())) {
    early_.erase(waiting_.front());
    ready_.Push(waiting_.Pop());
  }
}

void StreamSession::Free(int slot) { used_.erase(slot); }

}  // namespace hellocnn::server
