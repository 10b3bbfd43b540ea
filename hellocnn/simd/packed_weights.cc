#include "hellocnn/simd/packed_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>

namespace hellocnn::simd {
namespace {

hwy::AlignedFreeUniquePtr<float[]> Zeros(int count) {
  auto values = hwy::AllocateAligned<float>(static_cast<std::size_t>(count));
  std::fill_n(values.get(), count, 0.0F);
  return values;
}

// Packs one layer. `group`, `multiple` and `row_multiple` say how the outputs are grouped and
// padded; see PackedLayer.
PackedLayer Pack(const Weights& weights, const std::string& name, int group, int multiple,
                 int row_multiple = kRowMultiple) {
  const std::span<const float> matrix = weights[name + ".weight"];
  const std::span<const float> bias = weights[name + ".bias"];
  const int outputs = static_cast<int>(bias.size());
  const int inputs = static_cast<int>(matrix.size()) / outputs;
  const int padded = RoundUp(outputs, row_multiple);
  PackedLayer packed{Zeros(RoundUp(outputs, multiple) * inputs), Zeros(inputs * padded),
                     Zeros(padded)};
  for (int o = 0; o < outputs; ++o) {
    packed.bias[o] = bias[o];
    for (int i = 0; i < inputs; ++i) {
      const float weight = matrix[o * inputs + i];
      packed.groups[((o / group) * inputs + i) * group + o % group] = weight;
      packed.rows[i * padded + o] = weight;
    }
  }
  return packed;
}

// The greatest magnification of a layer: |output| <= gain * |input| + bias.
struct Gain {
  double gain = 0;
  double bias = 0;
};

Gain GainOf(const Weights& weights, const std::string& name) {
  const std::span<const float> matrix = weights[name + ".weight"];
  const std::span<const float> bias = weights[name + ".bias"];
  const std::size_t inputs = matrix.size() / bias.size();
  Gain bound;
  for (std::size_t o = 0; o < bias.size(); ++o) {
    double sum = 0;
    for (const float weight : matrix.subspan(o * inputs, inputs)) sum += std::abs(weight);
    bound.gain = std::max(bound.gain, sum);
    bound.bias = std::max<double>(bound.bias, std::abs(bias[o]));
  }
  return bound;
}

// Returns the greatest power of two for which every sum stays a thousand times below the greatest
// float, or -1 if there is none. The rounding errors of some hundred additions are far smaller than
// that margin.
float SafeMagnitude(const Weights& weights) {
  constexpr double kLimit = 3e35;
  const std::array<Gain, 5> gains{GainOf(weights, "conv.0"), GainOf(weights, "conv.3"),
                                  GainOf(weights, "conv.6"), GainOf(weights, "linear.0"),
                                  GainOf(weights, "linear.2")};
  for (float magnitude = 0x1p110F; magnitude >= 0x1p-120F; magnitude /= 2) {
    double bound = magnitude;
    bool safe = true;
    for (const Gain& gain : gains) {
      bound = gain.gain * bound + gain.bias;
      safe = safe && bound <= kLimit;
    }
    if (safe) return magnitude;
  }
  return -1;
}

}  // namespace

PackedWeights::PackedWeights(const Weights& weights, const Normalization& normalization)
    : classes(weights.classes()),
      conv1(Pack(weights, "conv.0", kConv1Group, kConv1Group)),
      conv2(Pack(weights, "conv.3", kConv2Group, kConv2Group)),
      conv3(Pack(weights, "conv.6", kDenseGroup, kDenseMultiple)),
      linear1(Pack(weights, "linear.0", kDenseGroup, kDenseMultiple)),
      linear2(Pack(weights, "linear.2", kDenseGroup, kDenseMultiple, kClassRowMultiple)),
      scale(static_cast<float>(1 / (255.0 * normalization.standard_deviation))),
      offset(static_cast<float>(-static_cast<double>(normalization.mean) /
                                normalization.standard_deviation)),
      safe_magnitude(SafeMagnitude(weights)),
      // A standard deviation of 0 gives NaN here, which is not safe.
      grey_is_safe(std::abs(normalization(0)) <= safe_magnitude &&
                   std::abs(normalization(255)) <= safe_magnitude) {}

}  // namespace hellocnn::simd
