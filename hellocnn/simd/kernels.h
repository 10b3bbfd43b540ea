// The arithmetic, compiled once for each instruction set and chosen by what the CPU has.
#ifndef HELLOCNN_SIMD_KERNELS_H_
#define HELLOCNN_SIMD_KERNELS_H_

#include <cstddef>

#include "hellocnn/image.h"
#include "hellocnn/simd/packed_weights.h"

namespace hellocnn::simd {

// Two ways to the same result. None of these functions allocates, locks or fails; what is not
// finite is written as it comes out.
//
// The functions that classify take `count` images: images[which[i]] gives row which[i] of
// `log_probabilities`, [images, classes]. So a caller can put the images of a batch in any order
// without moving them. `scratch` has scratch_bytes(classes) bytes, aligned to HWY_ALIGNMENT, of any
// content.
struct Kernels {
  const char* target;  // Highway's name of the instruction set: "AVX2"
  int lanes;           // floats in a register: images in a block
  std::size_t (*scratch_bytes)(int classes);

  // From this number of images on, a block is cheaper than one by one, even if lanes are empty.
  int block_from;

  // Image lanes: 1 to 2 * lanes images, an image in each lane of one or two blocks. Needs safe
  // images.
  void (*classify_blocks)(const PackedWeights& weights, const ImageView* images, const int* which,
                          int count, void* scratch, float* log_probabilities);

  // Channel lanes: one image after the other, output channels in the lanes. Needs safe images.
  void (*classify_each)(const PackedWeights& weights, const ImageView* images, const int* which,
                        int count, void* scratch, float* log_probabilities);

  // As classify_each, for any images: what is not a number stays so through ReLU and pools.
  void (*classify_each_unsafe)(const PackedWeights& weights, const ImageView* images,
                               const int* which, int count, void* scratch,
                               float* log_probabilities);

  // Returns true if nothing in the network can overflow, given this image.
  bool (*is_safe)(const PackedWeights& weights, const ImageView& image);
};

// Returns the kernels for the best instruction set that this CPU has. Thread-safe.
const Kernels& BestKernels();

}  // namespace hellocnn::simd

#endif  // HELLOCNN_SIMD_KERNELS_H_
