#include "server/serving/engine_selection.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hellocnn::server {
namespace {

constexpr int kImages = 48;

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

absl::Status Compare(const Prediction& found, const Prediction& wanted, int image, int batch_size) {
  double greatest = 1;
  for (const float value : wanted.log_probabilities) {
    greatest = std::max<double>(greatest, std::abs(value));
  }
  for (int k = 0; k < kClasses; ++k) {
    const double value = found.log_probabilities[k];
    const double apart = std::abs(value - wanted.log_probabilities[k]);
    if (apart <= kAgreement * greatest) continue;  // false for NaN
    return absl::FailedPreconditionError(
        absl::StrCat("image ", image, " of a batch of ", batch_size, ", class ", k,
                     ": log-probability ", value, ", the reference has ",
                     wanted.log_probabilities[k], "; wanted within ", kAgreement * greatest));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckAgreement(const EngineFactory& candidate, const EngineFactory& reference,
                            int max_batch_size) {
  const absl::StatusOr<std::unique_ptr<Engine>> engine = candidate();
  if (!engine.ok()) return engine.status();
  const absl::StatusOr<std::unique_ptr<Engine>> other = reference();
  if (!other.ok()) return other.status();

  const FixedImages images;
  std::vector<Prediction> wanted(kImages);
  for (int i = 0; i < kImages; ++i) {
    absl::Status status = (*other)->Classify({&images.views[i], 1}, {&wanted[i], 1});
    if (!status.ok()) return status;
  }

  // Each batch starts where the last one ended, so that an image comes to many places.
  int next = 0;
  for (int size = 1; size <= max_batch_size; ++size) {
    std::vector<ImageView> views;
    std::vector<int> which;
    for (int i = 0; i < size; ++i, next = (next + 1) % kImages) {
      views.push_back(images.views[next]);
      which.push_back(next);
    }
    std::vector<Prediction> found(views.size());
    if (absl::Status status = (*engine)->Classify(views, found); !status.ok()) return status;
    for (int i = 0; i < size; ++i) {
      absl::Status status = Compare(found[i], wanted[which[i]], i, size);
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<NamedEngines> SelectEngines(const std::vector<EngineCandidate>& candidates,
                                           const EngineFactory& reference, int max_batch_size) {
  absl::Status status;
  for (const EngineCandidate& candidate : candidates) {
    absl::StatusOr<EngineFactory> factory = candidate.make();
    status = factory.ok() ? CheckAgreement(*factory, reference, max_batch_size) : factory.status();
    if (status.ok()) return NamedEngines{candidate.name, *std::move(factory)};
    status = absl::Status(status.code(),
                          absl::StrCat("engine ", candidate.name, ": ", status.message()));
    spdlog::warn("not used: {}", std::string(status.message()));
  }
  return status;
}

}  // namespace hellocnn::server
