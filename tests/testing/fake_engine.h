// Engines for tests: the answer to an image depends on that image alone, so a mixed-up answer
// shows. They can be held, can fail, and tell what they were given. fake_engine_test.cc tests them.
#ifndef HELLOCNN_TESTS_TESTING_FAKE_ENGINE_H_
#define HELLOCNN_TESTS_TESTING_FAKE_ENGINE_H_

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

// The number that a fake engine sees in an image: its first pixel.
inline int FirstPixel(const ImageView& image) {
  if (image.format == PixelFormat::kGray8) return std::to_integer<int>(image.pixels[0]);
  float pixel;
  std::memcpy(&pixel, image.pixels, sizeof(pixel));
  return static_cast<int>(pixel);
}

// The answer to an image whose first pixel is `pixel`: class pixel % 10, and different for each
// pixel.
inline Prediction FakePrediction(int pixel) {
  Prediction prediction;
  prediction.log_probabilities.fill(-1000.0F);
  prediction.log_probabilities[static_cast<std::size_t>(pixel % kClasses)] =
      -static_cast<float>(pixel) / 1000.0F;
  return prediction;
}

// Makes fake engines and steers all of them together. Outlives them. Thread-safe.
//
// A standard mutex and not Mutex: ThreadSanitizer knows it even where Abseil was built
// without it.
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

  // From now on the factory fails; OK ends that.
  void FailToMake(absl::Status status) {
    const std::scoped_lock lock(mutex_);
    make_status_ = std::move(status);
  }

  // From now on Classify fails; OK ends that.
  void Fail(absl::Status status) {
    const std::scoped_lock lock(mutex_);
    status_ = std::move(status);
  }

  // From now on Classify fails if the first pixel of an image is this one.
  void Refuse(int pixel, absl::Status status) {
    const std::scoped_lock lock(mutex_);
    refused_pixel_ = pixel;
    refusal_ = std::move(status);
  }

  // From now on Classify blocks until Release.
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
  // Images in each call so far, in the order of the calls.
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

    absl::Status Classify(std::span<const ImageView> images,
                          std::span<Prediction> predictions) override {
      if (absl::Status status = engines_->Enter(images); !status.ok()) return status;
      for (std::size_t i = 0; i < images.size(); ++i) {
        predictions[i] = FakePrediction(FirstPixel(images[i]));
      }
      return absl::OkStatus();
    }

   private:
    FakeEngines* const engines_;
  };

  absl::Status Enter(std::span<const ImageView> images) {
    std::unique_lock lock(mutex_);
    batch_sizes_.push_back(static_cast<int>(images.size()));
    if (hold_) {
      ++held_;
      changed_.notify_all();
      changed_.wait(lock, [&] { return !hold_; });
      --held_;
    }
    for (const ImageView& image : images) {
      if (FirstPixel(image) == refused_pixel_) {
        return absl::Status(refusal_.code(), refusal_.message());
      }
    }
    // Not a copy, which would share its text with the other threads: where Abseil was built without
    // ThreadSanitizer, their counting of its users looks like a race.
    return absl::Status(status_.code(), status_.message());
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  absl::Status make_status_;
  absl::Status status_;
  int refused_pixel_ = -1;
  absl::Status refusal_;
  bool hold_ = false;
  int held_ = 0;
  int made_ = 0;
  std::vector<int> batch_sizes_;
};

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_FAKE_ENGINE_H_
