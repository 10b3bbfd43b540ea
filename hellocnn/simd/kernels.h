// The arithmetic, compiled once for each instruction set. The CPU decides which version runs.
#ifndef HELLOCNN_SIMD_KERNELS_H_
#define HELLOCNN_SIMD_KERNELS_H_

#include <cstddef>

#include "hellocnn/image.h"
#include "hellocnn/simd/packed_weights.h"

namespace hellocnn::simd {

// Two paths to the same result. None of these functions allocates, locks or fails. They write
// results that are not finite as they are.
//
// The functions that classify take `count` images: images[which[i]] gives row which[i] of
// `log_probabilities`, [images, classes]. A caller can thus reorder the images of a batch without
// moving them. `scratch` has scratch_bytes(classes) bytes, is aligned to HWY_ALIGNMENT, and may
// have any content.
struct Kernels {
  const char* target;  // Highway's name of the instruction set: "AVX2"
  int lanes;           // floats in a register, which is the number of images in a block
  std::size_t (*scratch_bytes)(int classes);

  // From this number of images on, a block is cheaper than one image at a time, even if lanes are
  // empty.
  int block_from;

  // Image lanes: classifies 1 to 2 * lanes images, with one image in each lane of one or two
  // blocks. Every image must be safe.
  void (*classify_blocks)(const PackedWeights& weights, const ImageView* images, const int* which,
                          int count, void* scratch, float* log_probabilities);

  // Channel lanes: classifies one image after the other, with the output channels in the lanes.
  // Every image must be safe.
  void (*classify_each)(const PackedWeights& weights, const ImageView* images, const int* which,
                        int count, void* scratch, float* log_probabilities);

  // Does the same as classify_each for images that need not be safe: ReLU and pools preserve NaN.
  void (*classify_each_unsafe)(const PackedWeights& weights, const ImageView* images,
                               const int* which, int count, void* scratch,
                               float* log_probabilities);

  // Returns true if the image is safe: nothing in the network can overflow for it.
  bool (*is_safe)(const PackedWeights& weights, const ImageView& image);
};

// Returns the kernels for the best instruction set of this CPU. Thread-safe.
const Kernels& BestKernels();

}  // namespace hellocnn::simd

#endif  // HELLOCNN_SIMD_KERNELS_H_
