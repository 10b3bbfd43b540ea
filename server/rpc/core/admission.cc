#include "server/rpc/core/admission.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace hellocnn::server {

Admission::Admission(Lifecycle* lifecycle, const Clock* clock)
    : lifecycle_(lifecycle),
      clock_(clock),
      observation_(lifecycle->Observe([this](LifecycleState state) { OnState(state); })) {}

void Admission::OnState(LifecycleState state) {
  if (state != LifecycleState::kDraining) return;
  std::vector<std::shared_ptr<Drainable>> streams;
  {
    MutexLock lock(&mutex_);
    last_event_ = clock_->Now();
    for (const auto& [key, stream] : streams_) streams.push_back(stream);
  }
  // This is outside of the lock, because a stream with nothing in flight ends and leaves at once.
  for (const auto& stream : streams) stream->Drain();
}

// The state is read under the lock. A call that is admitted is thus counted before OnState gets the
// lock, so it is drained and waited for.
Admission::Result Admission::Enter(std::shared_ptr<Drainable> stream) {
  MutexLock lock(&mutex_);
  switch (lifecycle_->state()) {
    case LifecycleState::kLoading:
      return Rejection::Loading();
    case LifecycleState::kDraining:
    case LifecycleState::kStopped:
      last_event_ = clock_->Now();
      return Rejection::Draining();
    case LifecycleState::kServing:
    case LifecycleState::kLeaving:
      break;
  }
  ++calls_;
  const Drainable* const key = stream.get();
  if (key != nullptr) streams_.emplace(key, std::move(stream));
  return Ticket(this, key);
}

void Admission::Leave(const Drainable* stream) {
  std::shared_ptr<Drainable> last;  // its destructor runs outside of the lock
  MutexLock lock(&mutex_);
  if (stream != nullptr) {
    const auto found = streams_.find(stream);
    last = std::move(found->second);
    streams_.erase(found);
  }
  if (lifecycle_->state() >= LifecycleState::kDraining) last_event_ = clock_->Now();
  if (--calls_ == 0) idle_.SignalAll();
}

bool Admission::WaitUntilIdle(Instant deadline) {
  MutexLock lock(&mutex_);
  while (calls_ > 0 && clock_->Now() < deadline) idle_.WaitUntil(&mutex_, deadline);
  return calls_ == 0;
}

bool Admission::WaitUntilQuiet(absl::Duration quiet, Instant deadline) {
  MutexLock lock(&mutex_);
  while (true) {
    const Instant now = clock_->Now();
    const Instant quiet_at = last_event_ + quiet;
    if (now >= quiet_at) return true;
    if (now >= deadline) return false;
    idle_.WaitUntil(&mutex_, std::min(quiet_at, deadline));
  }
}

}  // namespace hellocnn::server
