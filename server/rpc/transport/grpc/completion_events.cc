#include "server/rpc/transport/grpc/completion_events.h"

#include <grpc/support/time.h>

#include <algorithm>

#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/rpc/transport/grpc/grpc_time.h"

namespace hellocnn::server {
namespace {

// gRPC waits for whole milliseconds. The last part of a wait is therefore spent in naps.
constexpr absl::Duration kCoarse = absl::Milliseconds(2);
constexpr absl::Duration kNap = absl::Microseconds(50);

}  // namespace

CompletionEvents::~CompletionEvents() {
  Close();
  Event event;
  for (Got got = Got::kNothing; got != Got::kEnd;) {
    got = Wait(Instant::InfiniteFuture(), &event);
    if (got == Got::kEvent) Handle(event);
  }
}

EventQueue::Got CompletionEvents::Wait(Instant until, Event* event) {
  if (until != Instant::InfinitePast() && until != Instant::InfiniteFuture()) {
    const absl::Duration left = until - Clock::Monotonic()->Now();
    if (left > kCoarse) {
      until -= kCoarse / 2;
    } else {
      if (left > absl::ZeroDuration()) absl::SleepFor(std::min(left, kNap));
      until = Instant::InfinitePast();
    }
  }
  switch (queue_->AsyncNext(&event->tag, &event->ok, ToGrpcTime(until))) {
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
  if (!closed_) alarm_.Set(queue_.get(), gpr_time_0(GPR_CLOCK_MONOTONIC), &alarm_);
}

void CompletionEvents::Close() {
  closing_ = true;
  if (calls_ == 0) CloseNow();
}

void CompletionEvents::CloseNow() {
  MutexLock lock(&mutex_);
  if (closed_) return;
  closed_ = true;
  queue_->Shutdown();
}

}  // namespace hellocnn::server
