// Engines for tests. The result for an image depends only on that image, so tests can detect
// results that are mixed up. Tests can block the engines, make them fail, and read the sizes of
// their batches. fake_engine_test.cc tests them.
#ifndef HELLOCNN_TESTS_TESTING_FAKE_ENGINE_H_
#define HELLOCNN_TESTS_TESTING_FAKE_ENGINE_H_

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "hellocnn/engine.h"

namespace hellocnn::testing {

// Returns the number that a fake engine reads from an image: its first pixel.
inline int FirstPixel(const ImageView& image) {
  if (image.format == PixelFormat::kGray8) return std::to_integer<int>(image.pixels[0]);
  float pixel;
  std::memcpy(&pixel, image.pixels, sizeof(pixel));
  return static_cast<int>(pixel);
}

inline constexpr int kFakeClasses = 10;

// Returns the log-probabilities for an image whose first pixel is `pixel`. The most likely class is
// pixel % 10, and the row is different for each value of `pixel`.
inline std::array<float, kFakeClasses> FakeRow(int pixel) {
  std::array<float, kFakeClasses> row;
  row.fill(-1000.0F);
  row[static_cast<std::size_t>(pixel % kFakeClasses)] = -static_cast<float>(pixel) / 1000.0F;
  return row;
}

// Writes the rows that a fake engine would write for the images.
inline void WriteFakeRows(std::span<const ImageView> images, std::span<float> log_probabilities) {
  auto to = log_probabilities.begin();
  for (const ImageView& image : images) {
    const auto row = FakeRow(FirstPixel(image));
    to = std::copy(row.begin(), row.end(), to);
  }
}

// Makes fake engines and controls all of them together. Must outlive them. Thread-safe.
//
// It has a standard mutex instead of Mutex, because ThreadSanitizer understands it even if Abseil
// was built without ThreadSanitizer.
class FakeEngines {
 public:
  EngineFactory Factory() {
    return [this]() -> absl::StatusOr<std::unique_ptr<Engine>> {
      const std::scoped_lock lock(mutex_);
      if (!make_status_.ok()) return make_status_;
      ++made_;
      return std::make_unique<FakeEngine>(this);
    };
  }

  // Makes the factory fail with `status` from now on. OK ends the failures.
  void FailToMake(absl::Status status) {
    const std::scoped_lock lock(mutex_);
    make_status_ = std::move(status);
  }

  // Makes Classify fail with `status` for every image from now on. OK ends the failures.
  void Fail(absl::Status status) {
    const std::scoped_lock lock(mutex_);
    status_ = std::move(status);
  }

  // Makes Classify fail with `status` for images with this first pixel from now on.
  void Reject(int pixel, absl::Status status) {
    const std::scoped_lock lock(mutex_);
    rejected_pixel_ = pixel;
    rejection_ = std::move(status);
  }

  // Makes Classify block from now on, until Release is called.
  void Hold() {
    const std::scoped_lock lock(mutex_);
    hold_ = true;
  }
  void Release() {
    {
      const std::scoped_lock lock(mutex_);
      hold_ = false;
    }
    changed_.notify_all();
  }
  // Blocks until `engines` engines are blocked in Classify.
  void WaitUntilHeld(int engines) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return held_ >= engines; });
  }

  int made() const {
    const std::scoped_lock lock(mutex_);
    return made_;
  }
  // Returns the number of images of each call so far, in the order of the calls.
  std::vector<int> batch_sizes() const {
    const std::scoped_lock lock(mutex_);
    return batch_sizes_;
  }
  int calls() const {
    const std::scoped_lock lock(mutex_);
    return static_cast<int>(batch_sizes_.size());
  }

 private:
  class FakeEngine : public Engine {
   public:
    explicit FakeEngine(FakeEngines* engines) : engines_(engines) {}

    int classes() const override { return kFakeClasses; }

    void Classify(std::span<const ImageView> images, std::span<float> log_probabilities,
                  std::span<absl::Status> statuses) override {
      engines_->Enter(images, statuses);
      WriteFakeRows(images, log_probabilities);
    }

   private:
    FakeEngines* const engines_;
  };

  void Enter(std::span<const ImageView> images, std::span<absl::Status> statuses) {
    std::unique_lock lock(mutex_);
    batch_sizes_.push_back(static_cast<int>(images.size()));
    if (hold_) {
      ++held_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return !hold_; });
      --held_;
    }
    for (std::size_t i = 0; i < images.size(); ++i) {
      const absl::Status& status = FirstPixel(images[i]) == rejected_pixel_ ? rejection_ : status_;
      // A copy of the status would share its text with other threads. If Abseil was built without
      // ThreadSanitizer, the reference count of the text would look like a race.
      statuses[i] = absl::Status(status.code(), status.message());
    }
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  absl::Status make_status_;
  absl::Status status_;
  int rejected_pixel_ = -1;
  absl::Status rejection_;
  bool hold_ = false;
  int held_ = 0;
  int made_ = 0;
  std::vector<int> batch_sizes_;
};

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_FAKE_ENGINE_H_
