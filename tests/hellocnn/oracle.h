// The network as the layer table defines it, computed slowly and in double precision.
#ifndef HELLOCNN_TESTS_ORACLE_H_
#define HELLOCNN_TESTS_ORACLE_H_

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "hellocnn/topology.h"
#include "hellocnn/weights.h"
#include "tests/hellocnn/unrolled_convolution.h"

namespace hellocnn::testing {

// Returns random weights of about the magnitude that training produces.
inline std::map<std::string, Tensor> RandomTensors(unsigned seed, int classes = 10) {
  std::mt19937 random(seed);
  std::map<std::string, Tensor> tensors;
  for (const TensorSpec& spec : WeightTensors(classes)) {
    const auto fan_in = spec.shape.size() == 1 ? 100 : spec.size() / spec.shape[0];
    std::normal_distribution<float> normal(0, std::sqrt(2.0F / static_cast<float>(fan_in)));
    Tensor& tensor = tensors[spec.name];
    tensor.shape = spec.shape;
    for (std::int64_t i = 0; i < spec.size(); ++i) tensor.values.push_back(normal(random));
  }
  return tensors;
}

class Oracle {
 public:
  explicit Oracle(const Weights& weights) : weights_(weights) {
    for (const PlacedLayer& placed : PlaceLayers(weights_.classes())) {
      if (placed.layer.kind != Layer::Kind::kConv2d) continue;
      const std::string name(placed.layer.name);
      matrices_[name] = UnrollKernels(weights_[name + ".weight"], placed.layer.outputs,
                                      placed.layer.window, placed.input);
    }
  }

  // Returns the log-probabilities for `input`, [1, 32, 32], normalised. Activations between layers
  // are rounded to float, as in every engine.
  std::vector<double> LogProbabilities(std::vector<float> input) const {
    std::vector<double> output;
    for (const PlacedLayer& placed : PlaceLayers(weights_.classes())) {
      const std::string name(placed.layer.name);
      switch (placed.layer.kind) {
        case Layer::Kind::kConv2d: {
          output = Multiply(matrices_.at(name), input);
          const int positions = placed.output.height * placed.output.width;
          for (std::size_t i = 0; i < output.size(); ++i) {
            output[i] += weights_[name + ".bias"][i / positions];
          }
          break;
        }
        case Layer::Kind::kLinear: {
          const std::span<const float> matrix = weights_[name + ".weight"];
          output = Multiply({matrix.begin(), matrix.end()}, input);
          for (std::size_t i = 0; i < output.size(); ++i) output[i] += weights_[name + ".bias"][i];
          break;
        }
        case Layer::Kind::kReLU:
          for (double& value : output) value = std::max(value, 0.0);
          break;
        case Layer::Kind::kMaxPool2d:
          output = MaxPool(placed, output);
          break;
        case Layer::Kind::kLogSoftmax:
          break;
      }
      input.assign(output.begin(), output.end());
    }
    const double greatest = *std::max_element(output.begin(), output.end());
    double sum = 0;
    for (const double value : output) sum += std::exp(value - greatest);
    for (double& value : output) value = value - greatest - std::log(sum);
    return output;
  }

 private:
  static std::vector<double> MaxPool(const PlacedLayer& placed, const std::vector<double>& in) {
    std::vector<double> out;
    for (int c = 0; c < placed.output.channels; ++c) {
      for (int y = 0; y < placed.output.height; ++y) {
        for (int x = 0; x < placed.output.width; ++x) {
          double greatest = in[(c * placed.input.height + y) * placed.input.width + x];
          for (int wy = 0; wy < placed.layer.window; ++wy) {
            for (int wx = 0; wx < placed.layer.window; ++wx) {
              const int at = (c * placed.input.height + y + wy) * placed.input.width + x + wx;
              greatest = std::max(greatest, in[at]);
            }
          }
          out.push_back(greatest);
        }
      }
    }
    return out;
  }

  const Weights weights_;
  std::map<std::string, std::vector<double>> matrices_;
};

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_ORACLE_H_
