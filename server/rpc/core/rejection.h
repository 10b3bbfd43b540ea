// Why a request is answered without having been queued.
#ifndef HELLOCNN_SERVER_RPC_CORE_REJECTION_H_
#define HELLOCNN_SERVER_RPC_CORE_REJECTION_H_

#include <array>
#include <cstddef>
#include <utility>

#include "absl/status/status.h"

namespace hellocnn::server {

enum class RejectionReason { kQueueFull, kDraining, kLoading, kInvalid, kDeadline, kInternal };

// By reason, as metrics have them.
inline constexpr std::array kRejectionLabels = {"queue_full", "draining", "loading",
                                                "invalid",    "deadline", "internal"};

// What the caller is told, and what the rejection counts as. Where a request is rejected the reason
// is known, so nobody has to guess it from the status.
struct Rejection {
  absl::Status status;  // not OK
  RejectionReason reason;

  // Both UNAVAILABLE: the server takes no work yet, or no more.
  static Rejection Loading();
  static Rejection Draining();
  // The request is wrong: `status` says how.
  static Rejection Invalid(absl::Status status) {
    return {std::move(status), RejectionReason::kInvalid};
  }
  // `status`, not OK, is what Submit returned. A code that Submit does not document is kInternal.
  static Rejection OfSubmit(absl::Status status);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_REJECTION_H_
