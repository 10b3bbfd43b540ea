// Distillation: a network learns from the probabilities that a better one, its teacher, gives to
// all classes, and not from the labels alone.
#ifndef HELLOCNN_TRAIN_DISTILLATION_H_
#define HELLOCNN_TRAIN_DISTILLATION_H_

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "hellocnn/image.h"
#include "hellocnn/train/dataset.h"
#include "hellocnn/train/trainee.h"

namespace hellocnn {

// The training images, distorted once, and what the teacher says of them.
struct TaughtImages {
  torch::Tensor images;             // uint8 [N, 1, 32, 32]
  torch::Tensor log_probabilities;  // the teacher's, float32 [N, classes]
};

// A fixed number of distorted copies of the training images. Epochs take them in turn, so the
// teacher sees each copy only once. A copy takes about 1 kB for each image.
class TaughtCopies {
 public:
  // `training` must outlive the object. `distortion` is the strength for Distort.
  TaughtCopies(Trainee teacher, const Dataset& training, double distortion, int count,
               std::uint64_t seed, const Normalization& normalization);

  // Returns the images for an epoch, from 1. Makes the copy if it is needed for the first time, and
  // reseeds LibTorch's default random generator for this. The result depends only on the
  // constructor's arguments and on the epoch. It is valid as long as the object.
  const TaughtImages& ForEpoch(int epoch);

 private:
  const Trainee teacher_;
  const Dataset& training_;
  const double distortion_;
  const std::uint64_t seed_;
  const Normalization normalization_;
  std::vector<TaughtImages> copies_;  // undefined tensors until they are made
};

// Returns the mean over a batch of a weighted sum of two losses: of the cross entropy between the
// teacher's and the student's probabilities, both at `temperature`, and of the negative
// log-likelihood of the labels. `student` and `teacher` are log-probabilities, [N, classes], and
// `labels` is int64 [N]. `temperature` must be above 0.
torch::Tensor DistillationLoss(const torch::Tensor& student, const torch::Tensor& teacher,
                               const torch::Tensor& labels, double temperature);

}  // namespace hellocnn

#endif  // HELLOCNN_TRAIN_DISTILLATION_H_
