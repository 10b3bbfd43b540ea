#include "client/hedged_call.h"

#include <utility>

#include "client/callback_threads.h"
#include "client/convert.h"
#include "client/grpc_time.h"

namespace hellocnn::client {

void HedgedCall::Start(std::shared_ptr<ConnectionPool> pool, v1::ClassifyRequest request,
                       Instant deadline, const std::optional<Cancellation>& cancellation,
                       Client::ClassifyCallback callback) {
  KeepCallbackThreads();
  const auto call = std::make_shared<HedgedCall>(std::move(pool), std::move(request), deadline,
                                                 std::move(callback));
  const std::weak_ptr<HedgedCall> weak = call;
  call->registration_.emplace(cancellation, [weak] {
    if (const auto alive = weak.lock()) alive->Cancel();
  });
  call->Send();
  if (call->pool_->options().hedge.has_value()) call->SetAlarms();
}

HedgedCall::HedgedCall(std::shared_ptr<ConnectionPool> pool, v1::ClassifyRequest request,
                       Instant deadline, Client::ClassifyCallback callback)
    : pool_(std::move(pool)),
      request_(std::move(request)),
      deadline_(deadline),
      turn_(pool_->TakeTurn()),
      callback_(std::move(callback)) {}

void HedgedCall::SetAlarms() {
  pool_->hedge_budget().OnCall();
  const HedgeOptions& hedge = *pool_->options().hedge;
  const Instant now = Clock::Monotonic()->Now();
  alarms_ = std::vector<grpc::Alarm>(hedge.max_attempts - 1);
  for (std::size_t i = 0; i < alarms_.size(); ++i) {
    // An alarm keeps its function as long as it lives, and it lives as long as this call. The
    // function therefore holds a weak reference.
    const std::weak_ptr<HedgedCall> weak = weak_from_this();
    alarms_[i].Set(ToGrpcTime(now + hedge.after * (i + 1.0)), [weak](bool rang) {
      const auto call = rang ? weak.lock() : nullptr;
      if (call != nullptr && call->pool_->hedge_budget().TakeHedge()) call->Send();
    });
  }
}

void HedgedCall::Send() {
  auto attempt = std::make_shared<Attempt>();
  attempt->context.set_deadline(ToGrpcTime(deadline_));
  attempt->start = Clock::Monotonic()->Now();
  bool cancelled = false;
  {
    const MutexLock lock(&mutex_);
    if (decided_) return;
    attempts_.push_back(attempt);
    attempt->number = static_cast<int>(attempts_.size());
    ++under_way_;
    cancelled = cancelled_;
  }
  if (cancelled) attempt->context.TryCancel();
  pool_->At(turn_ + attempt->number - 1)
      .stub->async()
      ->Classify(&attempt->context, &request_, &attempt->response,
                 [call = shared_from_this(), attempt](const grpc::Status& status) {
                   call->OnEnd(*attempt, status);
                 });
}

void HedgedCall::OnEnd(Attempt& attempt, const grpc::Status& status) {
  absl::StatusOr<ClassifyResult> result = status.ok()
                                              ? FromProto(attempt.response, request_.images_size())
                                              : FromGrpc(status, pool_->shown_target());
  bool decisive = false;
  bool cancelled = false;
  Attempts losers;
  {
    const MutexLock lock(&mutex_);
    --under_way_;
    cancelled = cancelled_ || decided_;
    decisive = !decided_ && (result.ok() || under_way_ == 0);
    if (decisive) {
      decided_ = true;
      losers.swap(attempts_);
    }
  }
  if (!result.ok()) {
    result = NameCanceller(result.status(), cancelled, pool_->shown_target());
  }
  pool_->Report({.method = "Classify",
                 .status = result.status(),
                 .duration = Clock::Monotonic()->Now() - attempt.start,
                 .images = request_.images_size(),
                 .attempt = attempt.number,
                 .decisive = decisive});
  for (const std::shared_ptr<Attempt>& loser : losers) {
    if (loser.get() != &attempt) loser->context.TryCancel();
  }
  if (decisive) callback_(std::move(result));
}

void HedgedCall::Cancel() {
  Attempts attempts;
  {
    const MutexLock lock(&mutex_);
    cancelled_ = true;
    attempts = attempts_;
  }
  for (const std::shared_ptr<Attempt>& attempt : attempts) attempt->context.TryCancel();
}

}  // namespace hellocnn::client
