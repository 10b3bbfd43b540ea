// Limits hedges to a share of the calls.
#ifndef HELLOCNN_CLIENT_HEDGE_BUDGET_H_
#define HELLOCNN_CLIENT_HEDGE_BUDGET_H_

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace hellocnn::client {

// A budget of hedges. It starts at ten hedges and never exceeds ten. Each call adds `share` of a
// hedge, and each hedge takes one out. Thread-safe.
class HedgeBudget {
 public:
  // `share` must be > 0 and at most 1.
  explicit HedgeBudget(double share) : share_(share) {}

  void OnCall();
  // Takes one hedge out of the budget. Returns true if there was one.
  bool TakeHedge();

 private:
  static constexpr double kMaxHedges = 10;

  const double share_;
  Mutex mutex_;
  double hedges_ ABSL_GUARDED_BY(mutex_) = kMaxHedges;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_HEDGE_BUDGET_H_
