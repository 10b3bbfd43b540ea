#include "hellocnn/train/calibration.h"

#include <cmath>
#include <cstddef>
#include <numbers>
#include <tuple>

namespace hellocnn {
namespace {

constexpr double kLargestTemperature = 4;

double LossAt(double temperature, const torch::Tensor& log_probabilities,
              const torch::Tensor& labels) {
  return torch::nll_loss(torch::log_softmax(log_probabilities / temperature, 1), labels)
      .item<double>();
}

}  // namespace

double CalibrationError(const torch::Tensor& log_probabilities, const torch::Tensor& labels) {
  const auto [confidence, classes] = log_probabilities.to(torch::kFloat64).exp().max(1);
  const torch::Tensor right = classes.eq(labels).to(torch::kFloat64);
  // A bin contains its upper bound.
  const torch::Tensor bin = (confidence * kCalibrationBins)
                                .ceil()
                                .sub(1)
                                .clamp(0, kCalibrationBins - 1)
                                .to(torch::kInt64);
  const torch::Tensor excess =
      torch::zeros({kCalibrationBins}, torch::kFloat64).index_add_(0, bin, confidence - right);
  return excess.abs().sum().item<double>() / static_cast<double>(labels.size(0));
}

double FitTemperature(const torch::Tensor& log_probabilities, const torch::Tensor& labels) {
  // The loss is convex in 1 / temperature, so it has one minimum, which the golden section
  // encloses.
  const torch::Tensor precise = log_probabilities.to(torch::kFloat64);
  const auto loss = [&](double logarithm) { return LossAt(std::exp(logarithm), precise, labels); };
  constexpr double kShare = 1 / std::numbers::phi;
  double low = -std::log(kLargestTemperature);
  double high = -low;
  while (high - low > 1e-4) {
    const double left = high - kShare * (high - low);
    const double right = low + kShare * (high - low);
    const bool before_right = loss(left) < loss(right);
    (before_right ? high : low) = before_right ? right : left;
  }
  return std::exp((low + high) / 2);
}

void DivideLogits(HelloCnn& network, double temperature) {
  const torch::NoGradGuard no_grad;
  const auto weights = network->parameters();
  for (std::size_t i = weights.size() - 2; i < weights.size(); ++i) weights[i].div_(temperature);
}

}  // namespace hellocnn
