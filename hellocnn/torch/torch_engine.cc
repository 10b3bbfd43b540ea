#include "hellocnn/torch/torch_engine.h"

#include <malloc.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "hellocnn/torch/network.h"

namespace hellocnn {
namespace {

// The activations of this number of images fit in a second-level cache of at least 1 MB, and malloc
// keeps their memory.
constexpr std::int64_t kImagesTogether = 64;
constexpr int kKeptBytes = 64 << 20;
constexpr int kLargestKept = 32 << 20;  // of a single block; glibc accepts no more

class TorchEngine : public Engine {
 public:
  // `images_together` is the number of images that go through the network at a time.
  TorchEngine(HelloCnn network, const Normalization& normalization, int max_batch_size,
              std::int64_t images_together)
      : network_(std::move(network)),
        normalization_(normalization),
        images_together_(images_together),
        input_(torch::empty({max_batch_size, 1, kImageSide, kImageSide})) {
    network_->eval();
  }

  int classes() const override { return network_->classes(); }

  void Classify(std::span<const ImageView> images, std::span<float> log_probabilities,
                std::span<absl::Status> statuses) override {
    const auto most = static_cast<std::size_t>(input_.size(0));
    if (!CheckBatch(classes(), most, images, log_probabilities, statuses)) return;
    try {
      const c10::InferenceMode inference;
      float* input = input_.data_ptr<float>();
      for (std::size_t i = 0; i < images.size(); ++i) {
        NormalizeImage(images[i], normalization_, input + i * kImagePixels);
      }
      const auto count = static_cast<std::int64_t>(images.size());
      float* row = log_probabilities.data();
      for (std::int64_t first = 0; first < count; first += images_together_) {
        const std::int64_t part = std::min(images_together_, count - first);
        const torch::Tensor output = network_->forward(input_.narrow(0, first, part)).contiguous();
        row = std::copy_n(output.data_ptr<float>(), output.numel(), row);
      }
      CheckRows(log_probabilities, statuses);
    } catch (const std::exception& error) {
      const absl::Status failure =
          absl::InternalError(absl::StrCat("LibTorch: ", std::string(error.what())));
      std::fill(statuses.begin(), statuses.end(), failure);
    }
  }

 private:
  HelloCnn network_;
  const Normalization normalization_;
  const std::int64_t images_together_;
  torch::Tensor input_;  // [max_batch_size, 1, 32, 32]
};

absl::StatusOr<EngineFactory> MakeFactory(const Weights& weights,
                                          const Normalization& normalization, int max_batch_size,
                                          Kernels kernels) {
  if (max_batch_size < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_batch_size is ", max_batch_size, "; wanted at least 1"));
  }
  return EngineFactory([=]() -> absl::StatusOr<std::unique_ptr<Engine>> {
    try {
      HelloCnn network(weights.classes(), kernels);
      SetWeights(network, weights);
      return std::make_unique<TorchEngine>(
          std::move(network), normalization, max_batch_size,
          kernels == Kernels::kFast ? kImagesTogether : max_batch_size);
    } catch (const std::exception& error) {
      return absl::InternalError(absl::StrCat("LibTorch: ", std::string(error.what())));
    }
  });
}

}  // namespace

void SetUpLibTorch() {
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  mallopt(M_MMAP_THRESHOLD, kLargestKept);
  torch::set_num_threads(1);
  // LibTorch allows the inter-op pool to be set only once and throws an exception otherwise.
  if (at::get_num_interop_threads() != 1) at::set_num_interop_threads(1);
}

absl::StatusOr<EngineFactory> TorchEngineFactory(const Weights& weights,
                                                 const Normalization& normalization,
                                                 int max_batch_size) {
  return MakeFactory(weights, normalization, max_batch_size, Kernels::kFast);
}

absl::StatusOr<EngineFactory> TorchEagerEngineFactory(const Weights& weights,
                                                      const Normalization& normalization,
                                                      int max_batch_size) {
  return MakeFactory(weights, normalization, max_batch_size, Kernels::kAsWritten);
}

}  // namespace hellocnn
