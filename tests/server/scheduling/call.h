// A job for the batcher's tests that checks its own answer.
#ifndef HELLOCNN_TESTS_SERVER_SCHEDULING_CALL_H_
#define HELLOCNN_TESTS_SERVER_SCHEDULING_CALL_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <latch>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "gtest/gtest.h"
#include "server/scheduling/job.h"
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

// A job and what became of it. std::latch and not Notification: it lives in headers, so
// ThreadSanitizer sees it where Abseil was built without.
class Call : private Job {
 public:
  explicit Call(std::vector<int> pixels, Instant deadline = Instant::InfiniteFuture())
      : pixels_(std::move(pixels)), answers_(pixels_.size() * hellocnn::testing::kFakeClasses) {
    for (const int pixel : pixels_) images_.push_back({PixelFormat::kGray8, Pixels(pixel)});
    Prepare(images_, answers_, deadline);
  }
  // Waits for it, and checks that the answer is right and came once.
  std::string Wait() {
    done_.wait();
    EXPECT_EQ(times_done_, 1);
    EXPECT_EQ(times_accepted_, 1);
    for (std::size_t i = 0; i < pixels_.size() && status().ok(); ++i) {
      const auto wanted = hellocnn::testing::FakeRow(pixels_[i]);
      EXPECT_TRUE(std::equal(wanted.begin(), wanted.end(),
                             answers_.begin() + static_cast<std::ptrdiff_t>(i * wanted.size())));
    }
    return std::string(absl::StatusCodeToString(status().code()));
  }
  bool done() const { return times_done_ > 0; }
  Job* job() { return this; }
  std::string message() const { return std::string(status().message()); }
  using Job::timing;

 private:
  void Accepted() override {
    EXPECT_EQ(times_done_, 0);
    ++times_accepted_;
  }
  void OnFinished() override {
    EXPECT_EQ(times_accepted_, 1);
    ++times_done_;
    done_.count_down();
  }

  const std::vector<int> pixels_;
  std::vector<ImageView> images_;
  std::vector<float> answers_;  // [images, classes]
  std::latch done_{1};
  int times_accepted_ = 0;  // what has happened before it is done needs no synchronization
  std::atomic<int> times_done_ = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_TESTS_SERVER_SCHEDULING_CALL_H_
