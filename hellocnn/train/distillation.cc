#include "hellocnn/train/distillation.h"

#include <cstddef>
#include <utility>

namespace hellocnn {
namespace {

constexpr double kTeacherShare = 0.9;  // of the loss; the labels have the rest

}  // namespace

TaughtCopies::TaughtCopies(Trainee teacher, const Dataset& training, double distortion, int count,
                           std::uint64_t seed, const Normalization& normalization)
    : teacher_(std::move(teacher)),
      training_(training),
      distortion_(distortion),
      seed_(seed),
      normalization_(normalization),
      copies_(static_cast<std::size_t>(count)) {}

const TaughtImages& TaughtCopies::ForEpoch(int epoch) {
  const std::size_t index = (static_cast<std::size_t>(epoch) - 1) % copies_.size();
  TaughtImages& copy = copies_[index];
  if (copy.images.defined()) return copy;
  torch::manual_seed(seed_ + 1000 * index + 500);
  std::vector<torch::Tensor> images;
  for (const torch::Tensor& part : training_.images.split(1000)) {
    images.push_back(Distort(part, distortion_).round().to(torch::kUInt8));
  }
  copy.images = torch::cat(images);
  copy.log_probabilities = LogProbabilities(teacher_, copy.images, normalization_);
  return copy;
}

torch::Tensor DistillationLoss(const torch::Tensor& student, const torch::Tensor& teacher,
                               const torch::Tensor& labels, double temperature) {
  const torch::Tensor wanted = torch::softmax(teacher / temperature, 1);
  const torch::Tensor given = torch::log_softmax(student / temperature, 1);
  const torch::Tensor soft = -(wanted * given).sum(1).mean();
  // A higher temperature makes the gradients smaller by its square.
  return kTeacherShare * temperature * temperature * soft +
         (1 - kTeacherShare) * torch::nll_loss(student, labels);
}

}  // namespace hellocnn
