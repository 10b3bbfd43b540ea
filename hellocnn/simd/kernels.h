// The arithmetic, compiled once for each instruction set and chosen by what the CPU has.
#ifndef HELLOCNN_SIMD_KERNELS_H_
#define HELLOCNN_SIMD_KERNELS_H_

#include <cstddef>

#include "hellocnn/image.h"
#include "hellocnn/prediction.h"
#include "hellocnn/simd/packed_weights.h"

namespace hellocnn::simd {

// Two ways to the same answer. None of these allocates, locks or fails; what is not finite is
// written as it comes out. `scratch` has scratch_bytes bytes, aligned to HWY_ALIGNMENT, of any
// content.
struct Kernels {
  const char* target;  // Highway's name of the instruction set: "AVX2"
  int lanes;           // floats in a register: images in a block
  std::size_t scratch_bytes;

  // From so many images up, a block is cheaper than one by one, even if lanes are empty.
  int block_from;

  // Image lanes: `count` images, 1 to 2 * lanes, an image in each lane of one or two blocks. Needs
  // safe images.
  void (*classify_blocks)(const PackedWeights& weights, const ImageView* images, int count,
                          void* scratch, Prediction* predictions);

  // Channel lanes: one image after the other, output channels in the lanes. Needs safe images.
  void (*classify_each)(const PackedWeights& weights, const ImageView* images, int count,
                        void* scratch, Prediction* predictions);

  // As classify_each, of any images: what is not a number stays so through ReLU and pools.
  void (*classify_each_unsafe)(const PackedWeights& weights, const ImageView* images, int count,
                               void* scratch, Prediction* predictions);

  // Whether nothing in the network can overflow, given this image.
  bool (*is_safe)(const PackedWeights& weights, const ImageView& image);
};

// Those for the best instruction set that this CPU has. Thread-safe.
const Kernels& BestKernels();

}  // namespace hellocnn::simd

#endif  // HELLOCNN_SIMD_KERNELS_H_
