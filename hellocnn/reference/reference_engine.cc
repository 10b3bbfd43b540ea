#include "hellocnn/reference/reference_engine.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace hellocnn {
namespace {

using Activation = std::vector<double>;  // [channels, height, width]

// The weights and the bias of a layer.
struct Parameters {
  std::span<const float> weight;
  std::span<const float> bias;
};

// Computes output[i] += factor * input[i] for a row.
void AddScaled(double factor, const double* input, int length, double* output) {
  for (int i = 0; i < length; ++i) output[i] += factor * input[i];
}

Activation Convolve(const PlacedLayer& placed, const Parameters& parameters, const Activation& in) {
  const Shape& input = placed.input;
  const Shape& output = placed.output;
  const int window = placed.layer.window;
  Activation out(output.size());
  const float* weight = parameters.weight.data();  // [outputs, inputs, window, window], in order
  for (int o = 0; o < output.channels; ++o) {
    double* plane = &out[static_cast<std::size_t>(o) * output.height * output.width];
    std::fill_n(plane, output.height * output.width, parameters.bias[o]);
    for (int c = 0; c < input.channels; ++c) {
      for (int ky = 0; ky < window; ++ky) {
        for (int kx = 0; kx < window; ++kx, ++weight) {
          for (int y = 0; y < output.height; ++y) {
            AddScaled(*weight, &in[(c * input.height + y + ky) * input.width + kx], output.width,
                      plane + y * output.width);
          }
        }
      }
    }
  }
  return out;
}

// Returns the larger value, or NaN if either value is NaN, as in PyTorch.
double Larger(double a, double b) { return a > b || std::isnan(a) ? a : b; }

// Returns the largest of `count` values, which are `step` positions apart.
double Largest(const double* values, int count, int step) {
  double largest = *values;
  for (int i = 1; i < count; ++i) largest = Larger(largest, values[i * step]);
  return largest;
}

// Pools along the rows first, then along the columns. A maximum is exact in any order.
Activation MaxPool(const PlacedLayer& placed, const Activation& in) {
  const Shape& input = placed.input;
  const Shape& output = placed.output;
  const int window = placed.layer.window;
  Activation out;
  for (int c = 0; c < output.channels; ++c) {
    const double* const plane = &in[static_cast<std::size_t>(c) * input.height * input.width];
    Activation rows;  // [input.height, output.width]
    for (int y = 0; y < input.height; ++y) {
      for (int x = 0; x < output.width; ++x) {
        rows.push_back(Largest(plane + y * input.width + x, window, 1));
      }
    }
    for (int y = 0; y < output.height; ++y) {
      for (int x = 0; x < output.width; ++x) {
        out.push_back(Largest(&rows[y * output.width + x], window, output.width));
      }
    }
  }
  return out;
}

Activation Multiply(const Parameters& parameters, const Activation& in) {
  Activation out(parameters.bias.begin(), parameters.bias.end());
  const float* weight = parameters.weight.data();  // [outputs, inputs], in order
  for (double& sum : out) {
    for (const double value : in) sum += *weight++ * value;
  }
  return out;
}

void LogSoftmax(Activation& values) {
  const double greatest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const double value : values) sum += std::exp(value - greatest);
  for (double& value : values) value -= greatest + std::log(sum);
}

class ReferenceEngine : public Engine {
 public:
  ReferenceEngine(std::shared_ptr<const Weights> weights, const Normalization& normalization)
      : weights_(std::move(weights)), normalization_(normalization) {}

  int classes() const override { return weights_->classes(); }

  void Classify(std::span<const ImageView> images, std::span<float> log_probabilities,
                std::span<absl::Status> statuses) override {
    constexpr std::size_t kAnyNumber = std::numeric_limits<std::size_t>::max();
    if (!CheckBatch(classes(), kAnyNumber, images, log_probabilities, statuses)) return;
    float* row = log_probabilities.data();
    for (const ImageView& image : images) {
      const Activation output = Run(image, [](const PlacedLayer&, const Activation&) {});
      row = std::copy(output.begin(), output.end(), row);
    }
    CheckRows(log_probabilities, statuses);
  }

  // Returns the output of the last layer, and shows `visit` that of each.
  template <typename Visit>
  Activation Run(const ImageView& image, Visit visit) const {
    std::vector<float> pixels(kImagePixels);
    NormalizeImage(image, normalization_, pixels.data());
    Activation values(pixels.begin(), pixels.end());
    for (const PlacedLayer& placed : PlaceLayers(classes())) {
      switch (placed.layer.kind) {
        case Layer::Kind::kConv2d:
          values = Convolve(placed, ParametersOf(placed.layer), values);
          break;
        case Layer::Kind::kReLU:
          for (double& value : values) value = Larger(value, 0);
          break;
        case Layer::Kind::kMaxPool2d:
          values = MaxPool(placed, values);
          break;
        case Layer::Kind::kLinear:
          values = Multiply(ParametersOf(placed.layer), values);
          break;
        case Layer::Kind::kLogSoftmax:
          LogSoftmax(values);
          break;
      }
      for (double& value : values) value = static_cast<float>(value);
      visit(placed, values);
    }
    return values;
  }

 private:
  Parameters ParametersOf(const Layer& layer) const {
    const std::string name(layer.name);
    return {(*weights_)[name + ".weight"], (*weights_)[name + ".bias"]};
  }

  const std::shared_ptr<const Weights> weights_;
  const Normalization normalization_;
};

}  // namespace

std::vector<LayerOutput> ReferenceOutputs(const std::shared_ptr<const Weights>& weights,
                                          const Normalization& normalization,
                                          const ImageView& image) {
  std::vector<LayerOutput> outputs;
  ReferenceEngine(weights, normalization)
      .Run(image, [&outputs](const PlacedLayer& placed, const Activation& values) {
        outputs.push_back(
            {placed.layer.name, placed.output, std::vector<float>(values.begin(), values.end())});
      });
  return outputs;
}

EngineFactory ReferenceEngineFactory(const Weights& weights, const Normalization& normalization) {
  const auto shared = std::make_shared<const Weights>(weights);
  return [=]() -> absl::StatusOr<std::unique_ptr<Engine>> {
    return std::make_unique<ReferenceEngine>(shared, normalization);
  };
}

}  // namespace hellocnn
