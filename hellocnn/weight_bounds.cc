#include "hellocnn/weight_bounds.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>

#include "absl/strings/str_cat.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

// Half of the range: the last layer subtracts two numbers of it.
constexpr double kMost = std::numeric_limits<float>::max() / 2.0;

// The largest weight of all, by magnitude.
std::string DescribeLargest(const Weights& weights) {
  std::string largest;
  float most = -1;
  for (const TensorSpec& spec : WeightTensors(weights.classes())) {
    const std::span<const float> values = weights[spec.name];
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::abs(values[i]) <= most) continue;
      most = std::abs(values[i]);
      largest = absl::StrCat("tensor ", spec.name, ": value ", i, " is ", values[i]);
    }
  }
  return largest;
}

// Returns the largest magnitude that an output of a layer can have if no input exceeds `input`.
double OutputBound(std::span<const float> weight, std::span<const float> bias, double input) {
  const std::size_t inputs = weight.size() / bias.size();
  double most = 0;
  for (std::size_t output = 0; output < bias.size(); ++output) {
    double sum = std::abs(bias[output]);
    for (const float value : weight.subspan(output * inputs, inputs)) {
      sum += std::abs(value) * input;
    }
    most = std::max(most, sum);
  }
  return most;
}

}  // namespace

absl::Status CheckStaysFinite(const Weights& weights, const Normalization& normalization) {
  // In double, which the largest possible sum does not overflow before it exceeds kMost.
  const auto normalized = [&](double grey) {
    return std::abs((grey - normalization.mean) / normalization.standard_deviation);
  };
  double bound = std::max(normalized(0), normalized(1));
  if (!(bound <= kMost)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "preprocessing.mean is ", normalization.mean, " and preprocessing.standard_deviation is ",
        normalization.standard_deviation, ", which makes pixels of up to ", bound,
        "; wanted pixels that float32 holds"));
  }
  for (const PlacedLayer& placed : PlaceLayers(weights.classes())) {
    if (placed.parameters == 0) continue;
    const std::string name(placed.layer.name);
    bound = OutputBound(weights[name + ".weight"], weights[name + ".bias"], bound);
    if (!(bound <= kMost)) {
      return absl::InvalidArgumentError(
          absl::StrCat(DescribeLargest(weights), ", with which an image could make layer ", name,
                       " reach ", bound, "; wanted weights with which float32 never overflows"));
    }
  }
  return absl::OkStatus();
}

}  // namespace hellocnn
