// Accounts for one request, from its arrival to its end.
#ifndef HELLOCNN_SERVER_RPC_CORE_CALL_SCOPE_H_
#define HELLOCNN_SERVER_RPC_CORE_CALL_SCOPE_H_

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "server/observability/events.h"
#include "server/observability/logging/request_log.h"
#include "server/rpc/core/admission.h"
#include "server/rpc/core/rejection.h"
#include "server/rpc/transport/transport.h"
#include "server/scheduling/job.h"
#include "server/serving/comparison.h"
#include "server/serving/model_registry.h"
#include "server/serving/servable.h"

namespace hellocnn::server {

// The objects that all requests report to. Immutable. The objects that it points to are thread-safe
// and must outlive every request.
struct Accounting {
  // Registers the reasons for rejections.
  Accounting(Events* events, const Clock* clock, RequestLog* log = nullptr);

  Events* events;
  RequestLog* log;  // null if requests are not logged
  const Clock* clock;
  Comparer comparer;
  std::array<ReasonId, kRejectionLabels.size()> reasons;  // by RejectionReason
};

// What a method is to events, and its name, which lives as long as the process.
struct ServedMethod {
  MethodId id{};
  std::string_view name;
};

// Each request, which is a unary call or one request of a stream, has one scope. No other code
// reports requests to Events. The order of calls is the one that Events documents: Begin, then at
// most one of OnAccepted and OnRejected, then OnReady, then exactly one of End and EndGone. After
// that, another request can use the scope, so that a request allocates nothing.
//
// Other data of a request that does not depend on its protocol, such as its principal or its trace,
// belongs here.
//
// Thread-compatible: the scope moves from thread to thread together with its request.
class CallScope {
 public:
  CallScope() = default;
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  // Called when a request of `bytes` bytes has arrived, which is due by `deadline`. `accounting`
  // must outlive the request.
  void Begin(const Accounting* accounting, ServedMethod method, Instant deadline,
             std::size_t bytes);
  // Keeps the call's place in the server until the request has ended.
  void Hold(Admission::Ticket ticket) { ticket_ = std::move(ticket); }
  // Keeps the servables that compute the request until the request has ended. From now on the
  // request counts as one for the model that responds.
  void Use(Route route) { route_ = std::move(route); }
  // Returns the servable that responds. Use must have been called.
  const Servable& servable() const { return *route_.responds; }

  Instant start() const { return start_; }
  Instant deadline() const { return deadline_; }

  // Called when the queue of the servable has accepted the images of the request, before a worker
  // takes one. Use must have been called.
  void OnAccepted(int images);
  void OnRejected(RejectionReason reason);
  // Called when the servable has computed the request. What its images are classified as is
  // reported if the response is sent. Use must have been called.
  void OnComputed(const ComputedRequest& computed);

  // Called when the response is ready to be sent with this status. The duration of the request ends
  // now. `rpc` is its call, which has not finished, for the log.
  void OnReady(const absl::Status& status, const Rpc& rpc);
  // Called when the request has ended, because its response of `sent_bytes` bytes was sent.
  void End(std::size_t sent_bytes);
  // Called when the request has ended, but its caller had gone before the response was sent. `code`
  // is the code that the caller has seen.
  void EndGone(absl::StatusCode code);

 private:
  ModelId model() const { return route_.responds == nullptr ? kNoModel : route_.responds->id(); }
  void Report(const RequestEnd& end);
  void Log(const RequestLog::Line& line, const absl::Status& status, const Rpc& rpc) const;

  const Accounting* accounting_ = nullptr;  // null before Begin and after the end
  ServedMethod method_;
  Instant start_;
  Instant deadline_;
  absl::StatusCode code_ = absl::StatusCode::kOk;
  absl::Duration duration_;
  int images_ = 0;                   // the computed images: all or none
  std::optional<JobTiming> timing_;  // of these images
  std::optional<RejectionReason> rejected_;
  std::vector<Confidence> confidences_;
  Admission::Ticket ticket_;
  Route route_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_CALL_SCOPE_H_
