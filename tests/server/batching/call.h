// A job for the batcher's tests that checks its own answer.
#ifndef HELLOCNN_TESTS_SERVER_BATCHING_CALL_H_
#define HELLOCNN_TESTS_SERVER_BATCHING_CALL_H_

#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "server/batching/job.h"
#include "tests/testing/fake_engine.h"

namespace hellocnn::server {

// The pixels of image number i begin with i.
inline const std::byte* Pixels(int i) {
  static const auto* const pixels = [] {
    auto* all = new std::array<std::array<std::byte, kImagePixels>, 256>{};
    for (std::size_t p = 0; p < all->size(); ++p) (*all)[p][0] = static_cast<std::byte>(p);
    return all;
  }();
  return (*pixels)[static_cast<std::size_t>(i)].data();
}

// A job and what became of it. std::latch and not absl::Notification: it lives in headers, so
// ThreadSanitizer sees it where Abseil was built without.
class Call {
 public:
  explicit Call(std::vector<int> pixels, absl::Time deadline = absl::InfiniteFuture())
      : pixels_(std::move(pixels)) {
    for (const int pixel : pixels_) job_->images.push_back({PixelFormat::kGray8, Pixels(pixel)});
    job_->deadline = deadline;
    job_->done = [this](const absl::Status& status, std::span<const Prediction> predictions,
                        const JobTiming& timing) {
      ++times_done_;
      status_ = std::string(absl::StatusCodeToString(status.code()));
      message_ = std::string(status.message());
      right_ = predictions.size() == (status.ok() ? pixels_.size() : 0);
      for (std::size_t i = 0; i < predictions.size() && right_; ++i) {
        right_ = predictions[i].log_probabilities ==
                 hellocnn::testing::FakePrediction(pixels_[i]).log_probabilities;
      }
      timing_ = timing;
      done_.count_down();
    };
  }
  // Waits for it, and checks that the answer is right and came once.
  std::string Wait() {
    done_.wait();
    EXPECT_TRUE(right_);
    EXPECT_EQ(times_done_, 1);
    return status_;
  }
  bool done() const { return times_done_ > 0; }
  const std::shared_ptr<Job>& job() const { return job_; }
  const std::string& message() const { return message_; }
  const JobTiming& timing() const { return timing_; }

 private:
  const std::vector<int> pixels_;
  const std::shared_ptr<Job> job_ = std::make_shared<Job>();
  std::latch done_{1};
  std::atomic<int> times_done_ = 0;
  std::string status_, message_;
  bool right_ = false;
  JobTiming timing_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_TESTS_SERVER_BATCHING_CALL_H_
