#include "server/rpc/admission.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "base/mutex_lock.h"
#include "server/rpc/status.h"

namespace hellocnn::server {

void Admission::Open(Batcher* batcher) {
  MutexLock lock(&mutex_);
  if (state_ != State::kLoading) return;
  state_ = State::kServing;
  was_open_ = true;
  batcher_ = batcher;
}

void Admission::Close() {
  std::vector<std::shared_ptr<Drainable>> streams;
  {
    MutexLock lock(&mutex_);
    state_ = State::kDraining;
    last_refusal_ = absl::Now();
    for (const auto& [key, stream] : streams_) streams.push_back(stream);
  }
  // Outside of the lock: a stream with nothing to do ends at once, and leaves.
  for (const auto& stream : streams) stream->Drain();
}

absl::StatusOr<Batcher*> Admission::Enter() {
  MutexLock lock(&mutex_);
  return EnterLocked();
}

absl::StatusOr<Batcher*> Admission::Enter(std::shared_ptr<Drainable> stream) {
  MutexLock lock(&mutex_);
  absl::StatusOr<Batcher*> batcher = EnterLocked();
  if (batcher.ok()) {
    const Drainable* key = stream.get();
    streams_.emplace(key, std::move(stream));
  }
  return batcher;
}

absl::StatusOr<Batcher*> Admission::EnterLocked() {
  switch (state_) {
    case State::kLoading:
      return LoadingError();
    case State::kDraining:
      last_refusal_ = absl::Now();
      return DrainingError();
    case State::kServing:
      break;
  }
  ++calls_;
  return batcher_;
}

void Admission::Leave() {
  MutexLock lock(&mutex_);
  LeaveLocked();
}

void Admission::Leave(const Drainable* stream) {
  std::shared_ptr<Drainable> last;  // its destructor runs outside of the lock
  MutexLock lock(&mutex_);
  auto found = streams_.find(stream);
  if (found != streams_.end()) {
    last = std::move(found->second);
    streams_.erase(found);
  }
  LeaveLocked();
}

void Admission::LeaveLocked() {
  if (--calls_ == 0) idle_.SignalAll();
}

bool Admission::loading() const {
  MutexLock lock(&mutex_);
  return !was_open_;
}

bool Admission::WaitUntilIdle(absl::Time deadline) {
  MutexLock lock(&mutex_);
  while (calls_ > 0 && absl::Now() < deadline) lock.WaitUntil(&idle_, deadline);
  return calls_ == 0;
}

bool Admission::WaitUntilQuiet(absl::Duration quiet, absl::Time deadline) {
  MutexLock lock(&mutex_);
  while (true) {
    const absl::Time now = absl::Now();
    const absl::Time quiet_at = last_refusal_ + quiet;
    if (now >= quiet_at) return true;
    if (now >= deadline) return false;
    lock.WaitUntil(&idle_, std::min(quiet_at, deadline));
  }
}

}  // namespace hellocnn::server
