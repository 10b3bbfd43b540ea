// Records the reports that ClientOptions::on_call_end gets.
#ifndef TESTS_CLIENT_REPORTS_H_
#define TESTS_CLIENT_REPORTS_H_

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "hellocnn/client/client_options.h"

namespace hellocnn::client {

// Thread-safe. Must outlive the calls.
class Reports {
 public:
  std::function<void(const CallReport&)> Hook() {
    return [this](const CallReport& report) {
      const absl::MutexLock lock(&mutex_);
      reports_.push_back(report);
    };
  }

  // Blocks until there are `count` reports, and returns all reports in their order.
  std::vector<CallReport> WaitFor(std::size_t count) {
    const auto enough = [this, count]()
                            ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return reports_.size() >= count; };
    const absl::MutexLock lock(&mutex_, absl::Condition(&enough));
    return reports_;
  }

 private:
  absl::Mutex mutex_;
  std::vector<CallReport> reports_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::client

#endif  // TESTS_CLIENT_REPORTS_H_
