// A unary call that needs no queue.
#ifndef HELLOCNN_SERVER_RPC_CORE_DIRECT_CALL_H_
#define HELLOCNN_SERVER_RPC_CORE_DIRECT_CALL_H_

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "base/clock.h"
#include "server/rpc/core/call_scope.h"
#include "server/rpc/core/guard.h"
#include "server/rpc/core/model_access.h"
#include "server/rpc/core/rejection.h"
#include "server/rpc/transport/messages.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

// A call that needs no queue: the service makes a response of a Request at once.
// Responder::Respond(request) returns the response, or an error of ModelRegistry::Find or of the
// responder itself. It is called on a worker, and must not block.
template <typename Responder, typename Request>
class DirectCall final : public CallHandler {
 public:
  DirectCall(const Responder* responder, const Accounting* accounting, ServedMethod method,
             UnaryRpc* rpc)
      : responder_(responder), accounting_(accounting), method_(method), rpc_(rpc) {}

 private:
  void OnCall() override {
    scope_.Begin(accounting_, method_, Instant::InfiniteFuture(), rpc_->request()->size());
    const std::optional<Rejection> rejection = Respond();
    if (rejection.has_value()) scope_.OnRejected(rejection->reason);
    const absl::Status status = rejection.has_value() ? rejection->status : absl::OkStatus();
    scope_.OnReady(status, *rpc_);
    scope_.End(rpc_->response()->size());
    rpc_->Finish(status);
  }

  std::optional<Rejection> Respond() {
    Request request;
    absl::Status status = Parse(rpc_->request(), &request);
    if (!status.ok()) return Rejection::Invalid(std::move(status));
    const Principal* const principal = rpc_->principal().get();
    using Responded = typename decltype(responder_->Respond(request))::value_type;
    absl::Status may =
        principal == nullptr ? absl::OkStatus() : CheckModel<Responded>(*principal, request);
    if (!may.ok()) return Rejection::Denied(std::move(may));
    auto response = responder_->Respond(request);
    if (!response.ok()) return Rejection::OfDirect(WithoutOthers(*rpc_, response.status()));
    if (principal != nullptr) may = ShowAllowed(*principal, &*response);
    if (!may.ok()) return Rejection::Denied(std::move(may));
    Serialize(*response, rpc_->response());
    return std::nullopt;
  }

  const Responder* const responder_;
  const Accounting* const accounting_;
  const ServedMethod method_;
  UnaryRpc* const rpc_;
  CallScope scope_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_DIRECT_CALL_H_
