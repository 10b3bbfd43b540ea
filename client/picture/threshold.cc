#include "client/picture/threshold.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace hellocnn::client::picture {

Split SplitLevels(const Plane& plane) {
  constexpr int kBins = 256;
  const auto [least, greatest] = std::minmax_element(plane.values.begin(), plane.values.end());
  if (!(*greatest > *least)) return {*least, *least, *least, 0};
  std::array<double, kBins> counts{};
  std::array<double, kBins> sums{};
  const float scale = (kBins - 1) / (*greatest - *least);
  double sum = 0;
  double squares = 0;
  for (const float value : plane.values) {
    const auto bin = static_cast<std::size_t>((value - *least) * scale);
    counts[bin] += 1;
    sums[bin] += value;
    sum += value;
    squares += double{value} * value;
  }
  const auto count = static_cast<double>(plane.values.size());
  const double variance = squares / count - (sum / count) * (sum / count);
  double low_count = 0;
  double low_sum = 0;
  double best = -1;
  Split split;
  for (int bin = 0; bin + 1 < kBins; ++bin) {
    low_count += counts[bin];
    low_sum += sums[bin];
    if (low_count == 0 || low_count == count) continue;
    const double low = low_sum / low_count;
    const double high = (sum - low_sum) / (count - low_count);
    const double share = low_count / count;
    const double between = share * (1 - share) * (high - low) * (high - low);
    if (between <= best) continue;
    best = between;
    split = {static_cast<float>((low + high) / 2), static_cast<float>(low),
             static_cast<float>(high),
             static_cast<float>(std::min(1.0, between / std::max(variance, 1e-12)))};
  }
  return split;
}

float EstimateNoise(const Plane& plane, int distance) {
  std::vector<float> differences;
  differences.reserve(plane.values.size());
  for (int y = 0; y < plane.height; ++y) {
    for (int x = distance; x < plane.width; ++x)
      differences.push_back(std::abs(plane.at(x, y) - plane.at(x - distance, y)));
  }
  // A quarter of the differences of two normal numbers is less than 0.451 of their deviation.
  return Quantile(std::move(differences), 0.25) / 0.451F;
}

double SumOfEdges(const Plane& plane, const Box& box) {
  double sum = 0;
  for (int y = box.top; y < box.bottom; ++y) {
    for (int x = box.left; x < box.right; ++x) {
      if (x > 0) sum += std::abs(plane.at(x, y) - plane.at(x - 1, y));
      if (y > 0) sum += std::abs(plane.at(x, y) - plane.at(x, y - 1));
    }
  }
  return sum;
}

}  // namespace hellocnn::client::picture
