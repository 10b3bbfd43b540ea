#include "hellocnn/simd/kernels.h"

#include "hellocnn/simd/targets.h"

// Compiles the rest of this file once for each instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hellocnn/simd/kernels.cc"
#include <hwy/foreach_target.h>
// Must be included after foreach_target.h.
#include <hwy/highway.h>

#include "hellocnn/simd/channel_lanes-inl.h"
#include "hellocnn/simd/image_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace hellocnn::simd {
namespace HWY_NAMESPACE {

// Returns the size of the scratch memory. The logits follow the activations, whose size does not
// depend on the number of classes.
std::size_t ScratchBytes(int classes) {
  return HWY_MAX(sizeof(BlockScratch) + BlockLogits(classes) * sizeof(float),
                 sizeof(ImageScratch) + ImageLogits(classes) * sizeof(float));
}

const Kernels* TargetKernels() {
  static const Kernels kKernels{
      hwy::TargetName(HWY_TARGET),
      kLanes,
      ScratchBytes,
      kBlockFrom,
      ClassifyBlocks,
      ClassifyEach<Maximum>,
      ClassifyEach<MaximumOrNan>,
      IsSafe,
  };
  return &kKernels;
}

}  // namespace HWY_NAMESPACE
}  // namespace hellocnn::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hellocnn::simd {

HWY_EXPORT(TargetKernels);
const Kernels& BestKernels() { return *HWY_DYNAMIC_DISPATCH(TargetKernels)(); }

}  // namespace hellocnn::simd
#endif
