#include "server/telemetry/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace hellocnn::server {
namespace {

GreyLevels FromMoments(double mean, double mean_of_squares, double scale, double offset) {
  // Rounding can leave a variance just below 0.
  const double variance = std::max(mean_of_squares - mean * mean, 0.0);
  return {std::clamp(mean * scale + offset, 0.0, 1.0),
          std::clamp(std::sqrt(variance) * scale, 0.0, 1.0)};
}

GreyLevels MeasureGray8(const std::byte* pixels) {
  // Products of 16-bit integers, added up in 32 bits: the one kind that every x86-64 and every ARM
  // has a vector instruction for, and the compiler finds it.
  std::int32_t sum = 0;
  std::int32_t squares = 0;
  for (int i = 0; i < kImagePixels; ++i) {
    const auto grey = std::to_integer<std::int16_t>(pixels[i]);
    sum += grey;
    squares += grey * grey;
  }
  return FromMoments(static_cast<double>(sum) / kImagePixels,
                     static_cast<double>(squares) / kImagePixels, 1.0 / 255, 0);
}

GreyLevels MeasureFloat32(const std::byte* pixels, const Normalization& normalization) {
  // Doubles: the square of any finite float is finite.
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kImagePixels; ++i) {
    float value;
    std::memcpy(&value, pixels + static_cast<std::size_t>(i) * sizeof(value), sizeof(value));
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  return FromMoments(sum / kImagePixels, squares / kImagePixels,
                     static_cast<double>(normalization.standard_deviation),
                     static_cast<double>(normalization.mean));
}

}  // namespace

GreyLevels MeasureGreyLevels(const ImageView& image, const Normalization& normalization) {
  return image.format == PixelFormat::kGray8 ? MeasureGray8(image.pixels)
                                             : MeasureFloat32(image.pixels, normalization);
}

AnswerStatistics::AnswerStatistics(std::span<const Prediction> predictions)
    : images(static_cast<int>(predictions.size())) {
  for (const Prediction& prediction : predictions) {
    const auto likeliest = static_cast<std::size_t>(prediction.ClassIndex());
    const auto logarithm = static_cast<double>(prediction.log_probabilities[likeliest]);
    const double probability = std::min(std::exp(logarithm), 1.0);  // rounding can exceed 1
    const auto* const bound =
        std::lower_bound(kConfidenceBounds.begin(), kConfidenceBounds.end(), probability);
    ++classes[likeliest];
    ++confidence[static_cast<std::size_t>(bound - kConfidenceBounds.begin())];
    confidence_sum += probability;
  }
}

}  // namespace hellocnn::server
