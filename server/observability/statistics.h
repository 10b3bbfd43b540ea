// What metrics keep of images and of predictions. Pure functions.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_STATISTICS_H_
#define HELLOCNN_SERVER_OBSERVABILITY_STATISTICS_H_

#include <array>
#include <cstddef>
#include <span>

#include "hellocnn/image.h"
#include "hellocnn/prediction.h"
#include "hellocnn/topology.h"

namespace hellocnn::server {

// Mean and standard deviation of an image's grey levels, black being 0 and white 1.
struct GreyLevels {
  double mean;
  double contrast;
};

// Of float images, what `normalization` has made is undone; a float image may then lie outside of 0
// to 1, and the result is held within, so that one odd image cannot spoil a sum of millions.
GreyLevels MeasureGreyLevels(const ImageView& image, const Normalization& normalization);

// Upper bounds, each included, for the probability of the most likely class; no probability is
// above the last.
inline constexpr std::array kConfidenceBounds = {0.1, 0.2, 0.3,  0.4,  0.5,   0.6, 0.7,
                                                 0.8, 0.9, 0.95, 0.99, 0.999, 1.0};

// An answer in the numbers that metrics keep of it. Small and of a fixed size: it is kept until the
// answer is sent.
struct AnswerStatistics {
  AnswerStatistics() = default;
  explicit AnswerStatistics(std::span<const Prediction> predictions);

  int images = 0;
  std::array<int, kClasses> classes{};                     // images by their most likely class
  std::array<int, kConfidenceBounds.size()> confidence{};  // images by bucket
  double confidence_sum = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_STATISTICS_H_
