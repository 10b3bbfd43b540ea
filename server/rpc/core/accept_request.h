// What every request to classify images passes between its bytes and the queue.
#ifndef HELLOCNN_SERVER_RPC_CORE_ACCEPT_REQUEST_H_
#define HELLOCNN_SERVER_RPC_CORE_ACCEPT_REQUEST_H_

#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/rpc/core/call_context.h"
#include "server/rpc/core/call_scope.h"
#include "server/rpc/core/codec.h"
#include "server/rpc/core/guard.h"
#include "server/rpc/core/rejection.h"
#include "server/rpc/transport/transport.h"
#include "server/serving/model_registry.h"

namespace hellocnn::server {

// Checks a request that `codec` has read, finds its model, takes its images from the budget of the
// caller, and makes the images whole. From then on, `scope` has the model. If it returns
// no rejection and the request is not queued after all, GiveBackBudget must be called.
template <Codec C>
std::optional<Rejection> AcceptRequest(const Rpc& rpc, const CallContext& context,
                                       const Request& request, C* codec, CallScope* scope) {
  std::optional<Rejection> rejection;
  if (!request.model.empty()) rejection = CheckModelOf(rpc, request.model);
  if (rejection.has_value()) return rejection;
  // Whoever has nothing left is told so first, whatever the request.
  rejection = TakeBudget(rpc, context, 0);
  if (rejection.has_value()) return rejection;
  if (!request.timeout.ok()) return Rejection::Invalid(request.timeout.status());
  if (!request.images.ok()) return Rejection::Invalid(request.images.status());
  absl::StatusOr<Route> route = context.models->RouteRequest(request.model, request.version);
  if (!route.ok()) return Rejection::OfFind(WithoutOthers(rpc, route.status()));
  scope->Use(*std::move(route));
  // Only now it is known which model is the default.
  if (request.model.empty()) rejection = CheckModelOf(rpc, scope->servable().name());
  if (rejection.has_value()) return rejection;
  const int images = static_cast<int>(request.images->size());
  rejection = TakeBudget(rpc, context, images);
  if (rejection.has_value()) return rejection;
  // Pictures that do not fit are paid for, too: to decode them is work.
  absl::Status fits = FitImages(*codec, scope->servable().card(), *request.images);
  if (fits.ok()) return std::nullopt;
  return Rejection::Invalid(std::move(fits));
}

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_ACCEPT_REQUEST_H_
