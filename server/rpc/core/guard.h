// Lets calls through to their services only if their callers may make them.
#ifndef HELLOCNN_SERVER_RPC_CORE_GUARD_H_
#define HELLOCNN_SERVER_RPC_CORE_GUARD_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/access/access_control.h"
#include "server/rpc/core/call_context.h"
#include "server/rpc/core/call_scope.h"
#include "server/rpc/core/rejection.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

// Returns the services with a guard before each method that needs a right. The guard finds out who
// calls, unless the transport knows it already, and sets Rpc::principal. A caller who is not known
// gets UNAUTHENTICATED, and one who lacks the right of the method PERMISSION_DENIED, before the
// bytes of the request are parsed. Both count as rejections. All arguments must outlive the calls.
std::vector<Service> Guarded(const AccessControl* access, const Accounting* accounting,
                             std::vector<Service> services);

// Returns the number by which calls of the same caller are known: that of the principal, or
// Rpc::caller if there is none, or an anonymous one.
std::uint64_t CallerOf(const Rpc& rpc);

// Returns a rejection if the caller may not use the model.
std::optional<Rejection> CheckModelOf(const Rpc& rpc, std::string_view model);
// Returns the status, but if a model is missing and the caller may not use all, without the names
// of those that there are.
absl::Status WithoutOthers(const Rpc& rpc, absl::Status status);
// Takes `images` of the caller's budget, or with 0 only looks at it. Returns a rejection if it is
// used up.
std::optional<Rejection> TakeBudget(const Rpc& rpc, const CallContext& context, int images);
// Gives the images back, because they are not computed.
void GiveBackBudget(const Rpc& rpc, int images);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_GUARD_H_
