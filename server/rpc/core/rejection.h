// Why a request is rejected: it gets a response without having been queued.
#ifndef HELLOCNN_SERVER_RPC_CORE_REJECTION_H_
#define HELLOCNN_SERVER_RPC_CORE_REJECTION_H_

#include <array>

#include "absl/status/status.h"

namespace hellocnn::server {

enum class RejectionReason {
  kQueueFull,
  kDraining,
  kLoading,
  kInvalid,
  kDeadline,
  kMissingModel,
  kInternal,
  kUnauthenticated,
  kDenied,
  kBudget
};

// The names of the reasons in metrics, by RejectionReason.
inline constexpr std::array kRejectionLabels = {
    "queue_full", "draining", "loading",         "invalid",           "deadline",
    "no_model",   "internal", "unauthenticated", "permission_denied", "budget"};

// The status for the caller, and the reason for metrics. The code that rejects a request knows the
// reason, so no other code needs to derive it from the status.
struct Rejection {
  absl::Status status;  // not OK; its ErrorReason is the label of the reason
  RejectionReason reason;

  // Both return UNAVAILABLE, because the server does not accept requests yet, or no longer does.
  static Rejection Loading();
  static Rejection Draining();
  // Returns a rejection of an invalid request. `status` says what is wrong.
  static Rejection Invalid(absl::Status status);
  // Return the rejections for what access control says: who calls is not known, may not do this, or
  // has used up what they may send.
  static Rejection Unauthenticated(absl::Status status);
  static Rejection Denied(absl::Status status);
  static Rejection OverBudget(absl::Status status);
  // Returns the rejection for the error that ModelRegistry::Find returned.
  static Rejection OfFind(absl::Status status);
  // Returns the rejection for an error of a call that needs no queue: that of ModelRegistry::Find,
  // or one that the state of the server or an option is the reason of.
  static Rejection OfDirect(absl::Status status);
  // Returns the rejection for the error that Submit returned. `status` must not be OK. The reason
  // is kInternal for a code that Submit does not document.
  static Rejection OfSubmit(absl::Status status);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_REJECTION_H_
