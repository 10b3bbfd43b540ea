#include "client/hedge_budget.h"

#include <algorithm>

namespace hellocnn::client {

void HedgeBudget::OnCall() {
  const MutexLock lock(&mutex_);
  hedges_ = std::min(hedges_ + share_, kMaxHedges);
}

bool HedgeBudget::TakeHedge() {
  const MutexLock lock(&mutex_);
  if (hedges_ < 1) return false;
  hedges_ -= 1;
  return true;
}

}  // namespace hellocnn::client
