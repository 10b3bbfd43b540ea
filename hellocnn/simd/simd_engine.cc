#include "hellocnn/simd/simd_engine.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>

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
        max_batch_size_(static_cast<std::size_t>(max_batch_size)),
        scratch_(hwy::AllocateAligned<std::byte>(kernels.scratch_bytes)) {}

  absl::Status Classify(std::span<const ImageView> images,
                        std::span<Prediction> predictions) override {
    if (images.empty() || images.size() > max_batch_size_ || predictions.size() != images.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("batch of ", images.size(), " images for ", predictions.size(),
                       " predictions; wanted 1 to ", max_batch_size_, " of each"));
    }
    const bool safe = std::all_of(images.begin(), images.end(), [this](const ImageView& image) {
      return kernels_.is_safe(*weights_, image);
    });
    const int count = static_cast<int>(images.size());
    if (safe) {
      ClassifySafe(images.data(), count, predictions.data());
    } else {
      kernels_.classify_each_unsafe(*weights_, images.data(), count, scratch_.get(),
                                    predictions.data());
    }
    return CheckFinite(predictions);
  }

 private:
  // Full blocks first, two at a time; then what is left in a block with empty lanes or one by one,
  // whichever is cheaper.
  void ClassifySafe(const ImageView* images, int count, Prediction* predictions) {
    const int left = count % kernels_.lanes;
    const int in_blocks = left < kernels_.block_from ? count - left : count;
    int done = 0;
    while (done < in_blocks) {
      const int some = std::min(2 * kernels_.lanes, in_blocks - done);
      kernels_.classify_blocks(*weights_, images + done, some, scratch_.get(), predictions + done);
      done += some;
    }
    if (done < count) {
      kernels_.classify_each(*weights_, images + done, count - done, scratch_.get(),
                             predictions + done);
    }
  }

  const simd::Kernels& kernels_;
  const std::shared_ptr<const simd::PackedWeights> weights_;
  const std::size_t max_batch_size_;
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
