// A call with one request to classify images, from the bytes of the request to the status.
#ifndef HELLOCNN_SERVER_RPC_CORE_UNARY_CALL_H_
#define HELLOCNN_SERVER_RPC_CORE_UNARY_CALL_H_

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <variant>

#include "absl/status/status.h"
#include "base/clock.h"
#include "server/rpc/core/accept_request.h"
#include "server/rpc/core/call_context.h"
#include "server/rpc/core/call_scope.h"
#include "server/rpc/core/codec.h"
#include "server/rpc/core/guard.h"
#include "server/rpc/core/rejection.h"
#include "server/rpc/core/status.h"
#include "server/rpc/transport/transport.h"
#include "server/scheduling/job.h"

namespace hellocnn::server {

// The call is also its own job. It cannot end before Finish, which is the last action of
// OnFinished. So everything that the job needs outlives its use by the workers.
template <Codec C>
class UnaryCall final : public CallHandler, private Job {
 public:
  // Serves the calls of `rpc`. All three outlive the object; `method` is what events know it by.
  UnaryCall(const CallContext* context, ServedMethod method, UnaryRpc* rpc)
      : context_(context), method_(method), rpc_(rpc) {}

 private:
  void OnCall() override {
    scope_.Begin(&context_->accounting, method_, rpc_->deadline(), rpc_->request()->size());
    const std::optional<Rejection> rejection = Submit();
    if (!rejection.has_value()) return;
    scope_.OnRejected(rejection->reason);
    Respond(rejection->status);
  }

  // Admits the call, reads its request and queues the job. If the call is rejected, nothing is
  // queued, and the caller must still call Respond.
  std::optional<Rejection> Submit() {
    Admission::Result admitted = context_->admission->Enter();
    if (auto* const rejection = std::get_if<Rejection>(&admitted)) return std::move(*rejection);
    scope_.Hold(std::get<Admission::Ticket>(std::move(admitted)));

    const auto request = codec_.Read(rpc_->request(), context_->max_images);
    if (!request.ok()) return Rejection::Invalid(request.status());
    std::optional<Rejection> rejection =
        AcceptRequest(*rpc_, *context_, *request, &codec_, &scope_);
    if (rejection.has_value()) return rejection;
    const std::span<const ImageView> images = *request->images;
    Prepare(images, LogProbabilitiesFor(images, scope_.servable().classes(), codec_.arena()),
            std::min(scope_.deadline(), scope_.start() + *request->timeout),
            {.caller = CallerOf(*rpc_), .priority = request->priority});
    absl::Status status = scope_.servable().Submit(this);
    if (status.ok()) return std::nullopt;
    GiveBackBudget(*rpc_, static_cast<int>(images.size()));
    return Rejection::OfSubmit(std::move(status));
  }

  // Job's functions.
  void Accepted() override { scope_.OnAccepted(static_cast<int>(images().size())); }
  void OnFinished() override {
    if (status().ok()) {
      codec_.Encode({log_probabilities(), scope_.servable().card(), timing()});
      scope_.OnComputed({images(), log_probabilities(), timing()});
    }
    Respond(JobOutcome(status(), deadline(), context_->Now()));
  }

  // Finishes the call and frees its memory. The object may serve another call when the function
  // returns.
  void Respond(const absl::Status& status) {
    const absl::Status protocol = ToProtocol(status);
    scope_.OnReady(protocol, *rpc_);
    if (protocol.ok()) {
      codec_.Write(rpc_->response());
      sent_bytes_ = rpc_->response()->size();
    } else {
      codec_.Clear();
    }
    rpc_->Finish(protocol);
  }

  void OnCancel() override {
    cancelled_at_ = context_->Now();
    Cancel();
  }

  // Only here it is known whether the response could be sent.
  void OnEnd() override {
    if (cancelled_at_.has_value()) {
      scope_.EndGone(CodeOfGoneCaller(scope_.start(), scope_.deadline(), *cancelled_at_));
    } else {
      scope_.End(sent_bytes_);
    }
    sent_bytes_ = 0;
    cancelled_at_.reset();
  }

  const CallContext* const context_;
  const ServedMethod method_;
  UnaryRpc* const rpc_;

  // The following members belong to one call.
  C codec_;
  CallScope scope_;
  std::size_t sent_bytes_ = 0;           // of the response
  std::optional<Instant> cancelled_at_;  // by the caller, or by the transport at the deadline
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_UNARY_CALL_H_
