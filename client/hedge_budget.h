// Keeps hedges to a share of the calls.
#ifndef HELLOCNN_CLIENT_HEDGE_BUDGET_H_
#define HELLOCNN_CLIENT_HEDGE_BUDGET_H_

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace hellocnn::client {

// Each call pays `share` of a hedge in, up to the ten that there are in the beginning; each hedge
// takes one out. Thread-safe.
class HedgeBudget {
 public:
  // `share` is > 0 to 1.
  explicit HedgeBudget(double share) : share_(share) {}

  void OnCall();
  // Whether there was one to take.
  bool TakeHedge();

 private:
  static constexpr double kMaxHedges = 10;

  const double share_;
  Mutex mutex_;
  double hedges_ ABSL_GUARDED_BY(mutex_) = kMaxHedges;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_HEDGE_BUDGET_H_
