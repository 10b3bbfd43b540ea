#include "hellocnn/engine_agreement.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <span>

#include "absl/strings/str_cat.h"
#include "hellocnn/image.h"

namespace hellocnn {
namespace {

constexpr int kImages = 48;

bool Stopped(const StopCheck& stop) { return stop && stop(); }

absl::Status StoppedError() { return absl::CancelledError("stopped while an engine was verified"); }

// Blank, full, and strokes on a dark ground, as digits are; every third one as floats.
struct FixedImages {
  FixedImages() {
    // Its numbers are the same everywhere, unlike those of the standard's distributions.
    std::mt19937 random(1);
    for (int i = 0; i < kImages; ++i) {
      std::vector<std::uint8_t>& image = grey.emplace_back(kImagePixels, i == 1 ? 255 : 0);
      for (int stroke = 0; i > 1 && stroke < 4; ++stroke) {
        int at = static_cast<int>(random() % kImagePixels);
        const int step = static_cast<int>(random() % 67) - 33;
        for (int length = 0; length < 12; ++length) {
          image[at] = static_cast<std::uint8_t>(random() | 128);
          at = (at + step + kImagePixels) % kImagePixels;
        }
      }
      std::vector<float>& normalised = floats.emplace_back(kImagePixels);
      const ImageView view{PixelFormat::kGray8, reinterpret_cast<const std::byte*>(image.data())};
      NormalizeImage(view, Normalization(), normalised.data());
    }
    for (int i = 0; i < kImages; ++i) {
      if (i % 3 == 2) {
        views.push_back(
            {PixelFormat::kFloat32, reinterpret_cast<const std::byte*>(floats[i].data())});
      } else {
        views.push_back({PixelFormat::kGray8, reinterpret_cast<const std::byte*>(grey[i].data())});
      }
    }
  }

  std::vector<std::vector<std::uint8_t>> grey;
  std::vector<std::vector<float>> floats;
  std::vector<ImageView> views;
};

const FixedImages& Images() {
  static const auto* const images = new FixedImages();
  return *images;
}

absl::Status Compare(std::span<const float> found, std::span<const float> wanted, int image,
                     int batch_size) {
  double greatest = 1;
  for (const float value : wanted) greatest = std::max<double>(greatest, std::abs(value));
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const double value = found[k];
    const double apart = std::abs(value - wanted[k]);
    if (apart <= kAgreement * greatest) continue;  // false for NaN
    return absl::FailedPreconditionError(absl::StrCat(
        "image ", image, " of a batch of ", batch_size, ", class ", k, ": log-probability ", value,
        ", the reference has ", wanted[k], "; wanted within ", kAgreement * greatest));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ReferenceResults> ReferenceResults::Compute(Engine& reference,
                                                           const StopCheck& stop) {
  const std::size_t classes = static_cast<std::size_t>(reference.classes());
  std::vector<float> rows(kImages * classes);
  for (std::size_t i = 0; i < kImages; ++i) {
    if (Stopped(stop)) return StoppedError();
    absl::Status status;
    reference.Classify({&Images().views[i], 1}, std::span(rows).subspan(i * classes, classes),
                       {&status, 1});
    if (!status.ok()) return status;
  }
  return ReferenceResults(reference.classes(), std::move(rows));
}

absl::Status ReferenceResults::Check(Engine& candidate, int max_batch_size, const StopCheck& stop,
                                     const StepRunner& run) const {
  if (candidate.classes() != classes_) {
    return absl::FailedPreconditionError(absl::StrCat(
        "has ", candidate.classes(), " classes; wanted those of the reference, ", classes_));
  }
  const std::size_t classes = static_cast<std::size_t>(classes_);
  const std::size_t most = static_cast<std::size_t>(max_batch_size);
  // A batch is a part of this, and starts at any of the images.
  std::vector<ImageView> repeated(kImages + most);
  for (std::size_t i = 0; i < repeated.size(); ++i) repeated[i] = Images().views[i % kImages];
  std::vector<float> found(most * classes);
  std::vector<absl::Status> statuses(most);
  // Each batch starts where the last one ended, so that an image comes to many places.
  std::size_t first = 0;
  const auto check_batch = [&](std::size_t size) -> absl::Status {
    if (Stopped(stop)) return StoppedError();
    candidate.Classify(std::span(repeated).subspan(first, size),
                       std::span(found).first(size * classes), std::span(statuses).first(size));
    for (std::size_t i = 0; i < size; ++i) {
      if (!statuses[i].ok()) return statuses[i];
      const std::span<const float> wanted =
          std::span(rows_).subspan((first + i) % kImages * classes, classes);
      absl::Status status = Compare(std::span(found).subspan(i * classes, classes), wanted,
                                    static_cast<int>(i), static_cast<int>(size));
      if (!status.ok()) return status;
    }
    first = (first + size) % kImages;
    return absl::OkStatus();
  };
  std::size_t size = 0;
  absl::Status outcome;
  const auto step = [&] {
    outcome = check_batch(++size);
    return outcome.ok() && size < most;
  };
  if (run == nullptr) {
    while (step()) {
    }
  } else if (!run(step)) {
    return absl::FailedPreconditionError("the workers have stopped, so no engine can be verified");
  }
  return outcome;
}

std::optional<int> ReferenceResults::OnlyClass() const {
  std::optional<int> only;
  for (auto row = rows_.begin(); row != rows_.end(); row += classes_) {
    const auto best = static_cast<int>(std::max_element(row, row + classes_) - row);
    if (only.has_value() && *only != best) return std::nullopt;
    only = best;
  }
  return only;
}

const std::vector<std::vector<std::uint8_t>>& VerificationImages() { return Images().grey; }

}  // namespace hellocnn
