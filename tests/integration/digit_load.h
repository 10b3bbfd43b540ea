// Digits whose answers are known, and threads that classify them all the time.
#ifndef TESTS_INTEGRATION_DIGIT_LOAD_H_
#define TESTS_INTEGRATION_DIGIT_LOAD_H_

#include <array>
#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "hellocnn/client/client.h"

namespace hellocnn {

// MNIST test digits, with what an undisturbed server makes of them. Thread-compatible.
class KnownDigits {
 public:
  // Asks the server at `address`. Ends the test program if it does not answer.
  explicit KnownDigits(const std::string& address);

  int count() const { return static_cast<int>(images_.size()); }
  const client::Image& image(int index) const { return images_[index]; }
  // Whether it is the answer to that digit and to no other: no two digits have the same ten
  // log-probabilities.
  bool IsAnswerTo(int index, const client::Prediction& prediction) const;

 private:
  std::vector<client::Image> images_;
  std::vector<client::Prediction> answers_;
};

// Threads that classify one digit after another. Thread-safe.
class DigitLoad {
 public:
  using Classify = std::function<absl::StatusOr<client::ClassifyResult>(const client::Image&)>;

  struct Outcome {
    absl::Status status;
    absl::Duration took;
    bool right = false;  // of an OK one
  };

  DigitLoad(const KnownDigits& digits, int threads, Classify classify);
  ~DigitLoad();

  // Block until `count` more calls have ended so, for at most a minute; whether they did.
  bool WaitForSuccesses(int count) { return WaitFor(&successes_, count); }
  bool WaitForFailures(int count) { return WaitFor(&failures_, count); }

  // Blocks until all calls under way have ended; what became of each.
  std::vector<Outcome> Stop();

 private:
  void Run(int first);
  bool WaitFor(const int* counter, int count);

  const KnownDigits& digits_;
  const Classify classify_;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> threads_;

  absl::Mutex mutex_;
  int successes_ ABSL_GUARDED_BY(mutex_) = 0;
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<Outcome> outcomes_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn

#endif  // TESTS_INTEGRATION_DIGIT_LOAD_H_
