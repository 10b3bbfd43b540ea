// Records the reports that ClientOptions::on_call_end gets.
#ifndef TESTS_CLIENT_REPORTS_H_
#define TESTS_CLIENT_REPORTS_H_

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "hellocnn/client/client_options.h"

namespace hellocnn::client {

// Thread-safe. Must outlive the calls.
class Reports {
 public:
  std::function<void(const CallReport&)> Hook() {
    return [this](const CallReport& report) {
      const MutexLock lock(&mutex_);
      reports_.push_back(report);
      reported_.SignalAll();
    };
  }

  // Blocks until there are `count` reports, and returns all reports in their order.
  std::vector<CallReport> WaitFor(std::size_t count) {
    const MutexLock lock(&mutex_);
    while (reports_.size() < count) reported_.Wait(&mutex_);
    return reports_;
  }

 private:
  Mutex mutex_;
  CondVar reported_;
  std::vector<CallReport> reports_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::client

#endif  // TESTS_CLIENT_REPORTS_H_
