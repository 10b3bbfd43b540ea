#include "tests/integration/digit_load.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/time/clock.h"
#include "hellocnn/data/idx.h"

namespace hellocnn {
namespace {

constexpr int kDigits = 200;
constexpr absl::Duration kPatience = absl::Minutes(1);
// Batches of other sizes add floats up in another order; digits differ by far more.
constexpr float kTolerance = 1e-3F;

client::Image Padded(const LabeledImages& digits, int index) {
  std::vector<std::uint8_t> pixels(client::kImagePixels);
  const int padding = (client::kImageSide - digits.rows) / 2;
  for (int row = 0; row < digits.rows; ++row) {
    std::copy_n(digits.pixels.begin() + (index * digits.rows + row) * digits.columns,
                digits.columns, pixels.begin() + (row + padding) * client::kImageSide + padding);
  }
  return client::Image::Gray8(pixels).value();
}

}  // namespace

KnownDigits::KnownDigits(const std::string& address) {
  const LabeledImages digits = ReadMnist(HELLOCNN_SOURCE_DIR "/data/mnist-test", "t10k").value();
  for (int i = 0; i < kDigits; ++i) images_.push_back(Padded(digits, i));
  const client::Client client = client::Client::Create({.target = address}).value();
  const auto answer = client.Classify(images_, {.timeout = kPatience});
  if (!answer.ok()) {
    std::fprintf(stderr, "no answers to begin with: %s\n", answer.status().ToString().c_str());
    std::abort();
  }
  answers_ = answer->predictions;
}

bool KnownDigits::IsAnswerTo(int index, const client::Prediction& prediction) const {
  const client::Prediction& wanted = answers_[index];
  if (prediction.log_probabilities.size() != wanted.log_probabilities.size()) return false;
  for (std::size_t i = 0; i < wanted.log_probabilities.size(); ++i) {
    if (std::abs(prediction.log_probabilities[i] - wanted.log_probabilities[i]) > kTolerance)
      return false;
  }
  return prediction.class_index == wanted.class_index;
}

DigitLoad::DigitLoad(const KnownDigits& digits, int threads, Classify classify)
    : digits_(digits), classify_(std::move(classify)) {
  for (int thread = 0; thread < threads; ++thread)
    threads_.emplace_back([this, thread] { Run(thread * 17); });
}

DigitLoad::~DigitLoad() { Stop(); }

void DigitLoad::Run(int first) {
  for (int index = first; !stopping_; ++index) {
    const int digit = index % digits_.count();
    const absl::Time start = absl::Now();
    const absl::StatusOr<client::ClassifyResult> answer = classify_(digits_.image(digit));
    const bool right = answer.ok() && answer->predictions.size() == 1 &&
                       digits_.IsAnswerTo(digit, answer->predictions[0]);
    const absl::Duration took = absl::Now() - start;
    // A server that is away refuses a million calls a minute.
    if (!answer.ok()) absl::SleepFor(absl::Milliseconds(1));
    const absl::MutexLock lock(&mutex_);
    ++(answer.ok() ? successes_ : failures_);
    outcomes_.push_back({answer.status(), took, right});
  }
}

bool DigitLoad::WaitFor(const int* counter, int count) {
  const absl::MutexLock lock(&mutex_);
  const int wanted = *counter + count;
  const auto enough = [counter, wanted] { return *counter >= wanted; };
  return mutex_.AwaitWithTimeout(absl::Condition(&enough), kPatience);
}

std::vector<DigitLoad::Outcome> DigitLoad::Stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  const absl::MutexLock lock(&mutex_);
  return outcomes_;
}

}  // namespace hellocnn
