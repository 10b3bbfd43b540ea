// How well a network's probabilities agree with how often it is right, and how to make them agree.
#ifndef HELLOCNN_TRAIN_CALIBRATION_H_
#define HELLOCNN_TRAIN_CALIBRATION_H_

#include <torch/torch.h>

#include "hellocnn/torch/network.h"

namespace hellocnn {

inline constexpr int kCalibrationBins = 15;

// Returns the expected calibration error, 0 to 1: the images are put into kCalibrationBins bins of
// equal width by the probability of their class, and the error is the mean over all images of the
// difference between a bin's mean probability and its accuracy. `log_probabilities` is
// [N, classes], `labels` is int64 [N], N >= 1.
double CalibrationError(const torch::Tensor& log_probabilities, const torch::Tensor& labels);

// Returns the temperature, 0.25 to 4, by which the logits must be divided for the smallest negative
// log-likelihood. Arguments as above.
double FitTemperature(const torch::Tensor& log_probabilities, const torch::Tensor& labels);

// Divides the network's logits by `temperature`, which must be above 0, by dividing the weights of
// the last layer. The order of the classes stays the same.
void DivideLogits(HelloCnn& network, double temperature);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_CALIBRATION_H_
