#include "hellocnn/simd/simd_engine.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "hellocnn/simd/kernels.h"
#include "hellocnn/simd/packed_weights.h"

namespace hellocnn {
namespace {

class SimdEngine : public Engine {
 public:
  SimdEngine(const simd::Kernels& kernels, std::shared_ptr<const simd::PackedWeights> weights,
             int max_batch_size)
      : kernels_(kernels),
        weights_(std::move(weights)),
        order_(static_cast<std::size_t>(max_batch_size)),
        scratch_(hwy::AllocateAligned<std::byte>(kernels.scratch_bytes(weights_->classes))) {}

  int classes() const override { return weights_->classes; }

  // An unsafe image would not disturb the images in the other lanes, but it needs slower kernels
  // itself. So all safe images are classified together first, as if the unsafe ones were absent.
  void Classify(std::span<const ImageView> images, std::span<float> log_probabilities,
                std::span<absl::Status> statuses) override {
    if (!CheckBatch(classes(), order_.size(), images, log_probabilities, statuses)) return;
    const int count = static_cast<int>(images.size());
    int safe = 0;
    int unsafe = count;
    for (int i = 0; i < count; ++i) {
      const bool is_safe = kernels_.is_safe(*weights_, images[static_cast<std::size_t>(i)]);
      order_[static_cast<std::size_t>(is_safe ? safe++ : --unsafe)] = i;
    }
    const int* const order = order_.data();
    ClassifySafe(images.data(), order, safe, log_probabilities.data());
    if (safe < count) {
      kernels_.classify_each_unsafe(*weights_, images.data(), order + safe, count - safe,
                                    scratch_.get(), log_probabilities.data());
    }
    CheckRows(log_probabilities, statuses);
  }

 private:
  // Classifies full blocks first, two at a time. The remaining images go into a block with empty
  // lanes or are classified one by one, whichever is cheaper.
  void ClassifySafe(const ImageView* images, const int* order, int count,
                    float* log_probabilities) {
    const int left = count % kernels_.lanes;
    const int in_blocks = left < kernels_.block_from ? count - left : count;
    int done = 0;
    while (done < in_blocks) {
      const int some = std::min(2 * kernels_.lanes, in_blocks - done);
      kernels_.classify_blocks(*weights_, images, order + done, some, scratch_.get(),
                               log_probabilities);
      done += some;
    }
    if (done < count) {
      kernels_.classify_each(*weights_, images, order + done, count - done, scratch_.get(),
                             log_probabilities);
    }
  }

  const simd::Kernels& kernels_;
  const std::shared_ptr<const simd::PackedWeights> weights_;
  std::vector<int> order_;  // [max_batch_size]: the images of a batch, safe ones first
  const hwy::AlignedFreeUniquePtr<std::byte[]> scratch_;
};

}  // namespace

absl::StatusOr<EngineFactory> SimdEngineFactory(const Weights& weights,
                                                const Normalization& normalization,
                                                int max_batch_size) {
  if (max_batch_size < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_batch_size is ", max_batch_size, "; wanted at least 1"));
  }
  const simd::Kernels& kernels = simd::BestKernels();
  auto packed = std::make_shared<const simd::PackedWeights>(weights, normalization);
  return EngineFactory(
      [&kernels, packed, max_batch_size]() -> absl::StatusOr<std::unique_ptr<Engine>> {
        return std::make_unique<SimdEngine>(kernels, packed, max_batch_size);
      });
}

std::string SimdInstructionSet() { return simd::BestKernels().target; }

}  // namespace hellocnn
