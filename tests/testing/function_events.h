// An event queue whose events are functions, for tests of workers.
#ifndef HELLOCNN_TESTS_TESTING_FUNCTION_EVENTS_H_
#define HELLOCNN_TESTS_TESTING_FUNCTION_EVENTS_H_

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/runtime/event_queue.h"
#include "tests/testing/quiet_events.h"

namespace hellocnn::testing {

// Handling an event calls its function. Thread-safe.
class FunctionEvents final : public server::EventQueue {
 public:
  void Add(std::function<void()> function) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      const MutexLock lock(&mutex_);
      functions_.push_back(std::move(function));
    }
    wakes_.Wake();
  }

  // Adds an event that wakes nobody. Called by a worker, which will find it.
  void AddReady(std::function<void()> function) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    functions_.push_back(std::move(function));
  }

  Got Wait(Instant until, Event* event) override {
    if (Pop(event)) return Got::kEvent;
    const Got got = wakes_.Wait(until, event);
    return Pop(event) ? Got::kEvent : got;
  }
  void Handle(const Event& event) override {
    const std::unique_ptr<std::function<void()>> function(
        static_cast<std::function<void()>*>(event.tag));
    (*function)();
  }
  bool TakeReady(Event* event) override { return Pop(event); }
  void Wake() override { wakes_.Wake(); }
  void Close() override { wakes_.Close(); }

 private:
  bool Pop(Event* event) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    if (functions_.empty()) return false;
    event->tag = new std::function<void()>(std::move(functions_.front()));
    functions_.pop_front();
    return true;
  }

  Mutex mutex_;
  std::deque<std::function<void()>> functions_ ABSL_GUARDED_BY(mutex_);
  QuietEvents wakes_;
};

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_FUNCTION_EVENTS_H_
