// The account of one request, from its arrival to its end.
#ifndef HELLOCNN_SERVER_RPC_CORE_CALL_SCOPE_H_
#define HELLOCNN_SERVER_RPC_CORE_CALL_SCOPE_H_

#include <array>
#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "server/observability/events.h"
#include "server/rpc/admission.h"
#include "server/rpc/core/rejection.h"

namespace hellocnn::server {

// Where requests are accounted for. Immutable; what it points to is thread-safe and outlives every
// request.
struct Accounting {
  // Registers the reasons for rejections.
  Accounting(Events* events, const Clock* clock);

  Events* events;
  const Clock* clock;
  std::array<ReasonId, kRejectionLabels.size()> reasons;  // by RejectionReason
};

// Each request, a unary call or one request of a stream, has one, and nobody else tells Events of
// requests. The order is that which Events documents: Begin; then OnAccepted or OnRejected or none;
// then OnReady; then exactly one of End and EndGone. After that it can be used for another request,
// so that a request allocates nothing.
//
// What else belongs to a request and not to its protocol, such as its principal or its trace, has
// its place here.
//
// Thread-compatible: it goes from thread to thread together with its request.
class CallScope {
 public:
  CallScope() = default;
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  // A request of `bytes` bytes is there, which must be answered by `deadline`. `accounting`
  // outlives the request.
  void Begin(const Accounting* accounting, MethodId method, Instant deadline, std::size_t bytes);
  // Keeps the call's place in the server until the request has ended.
  void Hold(Admission::Ticket ticket) { ticket_ = std::move(ticket); }
  // What answers the call, once its place is held.
  const Servable& servable() const { return ticket_.servable(); }

  Instant start() const { return start_; }
  Instant deadline() const { return deadline_; }

  // The queue of `model` has taken the request's images, and no worker has one yet.
  void OnAccepted(ModelId model, int images);
  void OnRejected(RejectionReason reason) const;
  // All images of the request are computed.
  void OnComputed(int images) { images_ = images; }
  // What was found of the images that are computed, for the owner to fill; empty after Begin. Is
  // told if the response is sent. Only wanted if wants_confidences() is true.
  std::vector<Confidence>* confidences() { return &confidences_; }
  bool wants_confidences() const { return accounting_->events->wants_statistics(); }

  // The response is ready to be sent, with this code. The time until now is the request's duration.
  void OnReady(absl::StatusCode code);
  // The request has ended: its response was sent, and had `sent_bytes` bytes.
  void End(std::size_t sent_bytes);
  // The request has ended, and its caller had gone before the response was sent. `code` is what the
  // caller has seen.
  void EndGone(absl::StatusCode code);

 private:
  void Close(const RequestEnd& end);

  const Accounting* accounting_ = nullptr;  // null before Begin and after the end
  MethodId method_{};
  Instant start_;
  Instant deadline_;
  absl::StatusCode code_ = absl::StatusCode::kOk;
  absl::Duration duration_;
  ModelId model_{};  // once it is accepted
  int images_ = 0;   // that were computed, all or none
  std::vector<Confidence> confidences_;
  Admission::Ticket ticket_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_CALL_SCOPE_H_
