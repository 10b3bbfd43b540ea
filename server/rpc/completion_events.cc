#include "server/rpc/completion_events.h"

#include <grpc/support/time.h>

#include <algorithm>

#include "absl/time/clock.h"
#include "base/mutex_lock.h"

namespace hellocnn::server {
namespace {

// gRPC counts a wait in whole milliseconds. The end of a longer one is waited for in naps.
constexpr absl::Duration kCoarse = absl::Milliseconds(2);
constexpr absl::Duration kNap = absl::Microseconds(50);

gpr_timespec ToGrpc(absl::Time time) {
  if (time == absl::InfiniteFuture()) return gpr_inf_future(GPR_CLOCK_REALTIME);
  if (time == absl::InfinitePast()) return gpr_inf_past(GPR_CLOCK_REALTIME);
  const timespec spec = absl::ToTimespec(time);
  return {spec.tv_sec, static_cast<std::int32_t>(spec.tv_nsec), GPR_CLOCK_REALTIME};
}

}  // namespace

CompletionEvents::~CompletionEvents() {
  Close();
  Event event;
  for (Got got = Got::kNothing; got != Got::kEnd;) {
    got = Wait(absl::InfiniteFuture(), &event);
    if (got == Got::kEvent) Handle(event);
  }
}

EventQueue::Got CompletionEvents::Wait(absl::Time until, Event* event) {
  if (until != absl::InfinitePast() && until != absl::InfiniteFuture()) {
    const absl::Duration left = until - absl::Now();
    if (left > kCoarse) {
      until -= kCoarse / 2;
    } else {
      if (left > absl::ZeroDuration()) absl::SleepFor(std::min(left, kNap));
      until = absl::InfinitePast();
    }
  }
  switch (queue_->AsyncNext(&event->tag, &event->ok, ToGrpc(until))) {
    case grpc::CompletionQueue::SHUTDOWN:
      return Got::kEnd;
    case grpc::CompletionQueue::TIMEOUT:
      return Got::kNothing;
    case grpc::CompletionQueue::GOT_EVENT:
      break;
  }
  if (event->tag != &alarm_) return Got::kEvent;
  waking_ = false;
  return Got::kNothing;
}

void CompletionEvents::Wake() {
  if (waking_.exchange(true)) return;
  MutexLock lock(&mutex_);
  if (!closed_) alarm_.Set(queue_.get(), gpr_time_0(GPR_CLOCK_REALTIME), &alarm_);
}

void CompletionEvents::Close() {
  closing_ = true;
  if (calls_ == 0) Shutdown();
}

void CompletionEvents::Shutdown() {
  MutexLock lock(&mutex_);
  if (closed_) return;
  closed_ = true;
  queue_->Shutdown();
}

}  // namespace hellocnn::server
