// An event queue without events, for tests of workers. It only wakes them.
#ifndef HELLOCNN_TESTS_TESTING_QUIET_EVENTS_H_
#define HELLOCNN_TESTS_TESTING_QUIET_EVENTS_H_

#include <condition_variable>
#include <mutex>

#include "base/clock.h"
#include "server/runtime/event_queue.h"

namespace hellocnn::testing {

// Thread-safe. It has a standard mutex for the same reason as FakeEngines.
class QuietEvents : public server::EventQueue {
 public:
  Got Wait(Instant until, Event* /*event*/) override {
    std::unique_lock lock(mutex_);
    const auto woken = [this] { return wakes_ > 0 || closed_; };
    if (until == Instant::InfiniteFuture()) {
      changed_.wait(lock, woken);
    } else if (until > Clock::Monotonic()->Now()) {
      changed_.wait_until(lock, until.ToSteady(), woken);
    }
    if (wakes_ > 0) --wakes_;
    return closed_ ? Got::kEnd : Got::kNothing;
  }
  void Handle(const Event& /*event*/) override {}
  void Wake() override {
    {
      const std::scoped_lock lock(mutex_);
      ++wakes_;
    }
    changed_.notify_one();
  }
  void Close() override {
    {
      const std::scoped_lock lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }
  bool closed() {
    const std::scoped_lock lock(mutex_);
    return closed_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int wakes_ = 0;
  bool closed_ = false;
};

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_QUIET_EVENTS_H_
