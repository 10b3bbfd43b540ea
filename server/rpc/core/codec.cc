#include "server/rpc/core/codec.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "hellocnn/prediction.h"

namespace hellocnn::server {

std::span<float> LogProbabilitiesFor(std::span<const ImageView> images, int classes,
                                     google::protobuf::Arena* arena) {
  const std::size_t values = images.size() * static_cast<std::size_t>(classes);
  return {google::protobuf::Arena::CreateArray<float>(arena, values), values};
}

void ListConfidences(std::span<const float> log_probabilities, int classes,
                     std::vector<Confidence>* confidences) {
  confidences->clear();
  const std::size_t width = static_cast<std::size_t>(classes);
  for (std::size_t at = 0; at < log_probabilities.size(); at += width) {
    const std::span<const float> row = log_probabilities.subspan(at, width);
    const int class_index = MostLikelyClass(row);
    const auto logarithm = static_cast<double>(row[static_cast<std::size_t>(class_index)]);
    // Rounding can exceed 1.
    confidences->push_back({class_index, std::min(std::exp(logarithm), 1.0)});
  }
}

}  // namespace hellocnn::server
