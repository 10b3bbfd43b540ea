#include "client/cancellation.h"

#include <utility>

namespace hellocnn::client {

Cancellation::Cancellation() : state_(std::make_shared<State>()) {}

void Cancellation::Cancel() const {
  std::map<std::uint64_t, std::function<void()>> calls;
  {
    const MutexLock lock(&state_->mutex);
    state_->cancelled = true;
    calls.swap(state_->calls);
  }
  for (const auto& [key, cancel] : calls) cancel();
}

CancellationRegistration::CancellationRegistration(const std::optional<Cancellation>& cancellation,
                                                   std::function<void()> cancel)
    : state_(cancellation.has_value() ? cancellation->state_ : nullptr) {
  if (state_ == nullptr) return;
  {
    const MutexLock lock(&state_->mutex);
    if (!state_->cancelled) {
      key_ = state_->next_key++;
      state_->calls.emplace(key_, std::move(cancel));
      return;
    }
  }
  cancel();
}

bool CancellationRegistration::cancelled() const {
  if (state_ == nullptr) return false;
  const MutexLock lock(&state_->mutex);
  return state_->cancelled;
}

CancellationRegistration::~CancellationRegistration() {
  if (state_ == nullptr) return;
  // This is destroyed after the lock is released, because it may own the last reference to a call.
  std::map<std::uint64_t, std::function<void()>>::node_type gone;
  const MutexLock lock(&state_->mutex);
  if (!state_->cancelled) gone = state_->calls.extract(key_);
}

}  // namespace hellocnn::client
