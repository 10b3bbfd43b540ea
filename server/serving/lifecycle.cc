#include "server/serving/lifecycle.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hellocnn::server {
namespace {

bool IsLegal(LifecycleState from, LifecycleState to) {
  switch (to) {
    case LifecycleState::kLoading:
      return false;
    case LifecycleState::kServing:
      return from == LifecycleState::kLoading;
    case LifecycleState::kLeaving:
      return from == LifecycleState::kServing;
    case LifecycleState::kDraining:
      return from < LifecycleState::kDraining;
    case LifecycleState::kStopped:
      return from == LifecycleState::kDraining;
  }
  return false;
}

}  // namespace

const char* NameOf(LifecycleState state) {
  switch (state) {
    case LifecycleState::kLoading:
      return "loading";
    case LifecycleState::kServing:
      return "serving";
    case LifecycleState::kLeaving:
      return "leaving";
    case LifecycleState::kDraining:
      return "draining";
    case LifecycleState::kStopped:
      return "stopped";
  }
  return "";
}

Lifecycle::Observation::~Observation() { lifecycle_->Remove(observer_); }

absl::Status Lifecycle::Enter(LifecycleState next) {
  MutexLock lock(&mutex_);
  const LifecycleState now = entered_.back();
  if (!IsLegal(now, next)) {
    return absl::FailedPreconditionError(
        absl::StrCat("the server is ", NameOf(now), " and cannot become ", NameOf(next)));
  }
  entered_.push_back(next);
  state_.store(next, std::memory_order_release);
  Tell();
  return absl::OkStatus();
}

std::unique_ptr<Lifecycle::Observation> Lifecycle::Observe(Observer observer) {
  MutexLock lock(&mutex_);
  observers_.push_back(std::make_unique<Registered>(
      Registered{.observer = std::move(observer), .next = entered_.size() - 1}));
  std::unique_ptr<Observation> observation(new Observation(this, observers_.back().get()));
  Tell();
  return observation;
}

void Lifecycle::Tell() {
  if (teller_ == std::this_thread::get_id()) return;
  while (teller_.has_value()) changed_.Wait(&mutex_);
  teller_ = std::this_thread::get_id();
  while (Registered* const behind = FurthestBehind()) {
    const LifecycleState state = entered_[behind->next++];
    telling_ = behind;
    mutex_.Unlock();
    behind->observer(state);
    mutex_.Lock();
    telling_ = nullptr;
    changed_.SignalAll();
    if (behind->removed) {
      std::erase_if(observers_, [behind](const auto& known) { return known.get() == behind; });
    }
  }
  teller_.reset();
  changed_.SignalAll();
}

Lifecycle::Registered* Lifecycle::FurthestBehind() {
  const auto least = std::min_element(
      observers_.begin(), observers_.end(),
      [](const auto& left, const auto& right) { return left->next < right->next; });
  return least == observers_.end() || (*least)->next == entered_.size() ? nullptr : least->get();
}

void Lifecycle::Remove(const void* observer) {
  MutexLock lock(&mutex_);
  if (telling_ == observer && teller_ == std::this_thread::get_id()) {
    telling_->removed = true;  // its function is still running, further up the stack
    return;
  }
  while (telling_ == observer) changed_.Wait(&mutex_);
  std::erase_if(observers_, [observer](const auto& known) { return known.get() == observer; });
}

}  // namespace hellocnn::server
