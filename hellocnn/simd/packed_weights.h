// The weights in the order in which the kernels read them.
#ifndef HELLOCNN_SIMD_PACKED_WEIGHTS_H_
#define HELLOCNN_SIMD_PACKED_WEIGHTS_H_

#include <hwy/aligned_allocator.h>

#include <span>

#include "hellocnn/image.h"
#include "hellocnn/topology.h"
#include "hellocnn/weights.h"

namespace hellocnn::simd {

inline constexpr auto kLayerTable = PlaceLayers();
inline constexpr PlacedLayer kConv1 = kLayerTable[0];
inline constexpr PlacedLayer kPool1 = kLayerTable[2];
inline constexpr PlacedLayer kConv2 = kLayerTable[3];
inline constexpr PlacedLayer kPool2 = kLayerTable[5];
// Its kernel covers all of its input, so it is computed as a dense layer.
inline constexpr PlacedLayer kConv3 = kLayerTable[6];
inline constexpr PlacedLayer kLinear1 = kLayerTable[8];
inline constexpr PlacedLayer kLinear2 = kLayerTable[10];
static_assert(kConv3.output.height == 1 && kConv3.output.width == 1);
static_assert(kLinear2.output == Shape{kClasses, 1, 1});

constexpr int RoundUp(int value, int multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Outputs that an image-lane register tile may compute together: a tile takes a whole group or an
// equal part of one.
inline constexpr int kConv1Group = 6;
inline constexpr int kConv2Group = 4;
inline constexpr int kDenseGroup = 6;
// Channel-lane rows are padded with zeros to a multiple of this.
inline constexpr int kRowMultiple = 8;

// One convolution or dense layer as a matrix [outputs, inputs], where the inputs of a convolution
// are the taps of its kernel in the order (channel, y, x). Both paths add products up in this
// order, which makes their sums the same to the last bit.
struct PackedLayer {
  // For image lanes: [outputs / group, inputs, group], zeros after the last output.
  hwy::AlignedFreeUniquePtr<float[]> groups;
  // For channel lanes: [inputs, outputs rounded up to kRowMultiple], zeros after the last output.
  hwy::AlignedFreeUniquePtr<float[]> rows;
  // [outputs rounded up to kRowMultiple], zeros after the last output.
  hwy::AlignedFreeUniquePtr<float[]> bias;
};

// Immutable once made, so any number of engines may share it.
struct PackedWeights {
  PackedWeights(const Weights& weights, const Normalization& normalization);

  PackedLayer conv1;
  PackedLayer conv2;
  PackedLayer conv3;
  PackedLayer linear1;
  PackedLayer linear2;
  // The network's input is scale * grey + offset.
  float scale;
  float offset;
  // While no input is greater in magnitude, no sum in the network can overflow. Negative if
  // overflow can't be excluded for any input.
  float safe_magnitude;
  // Whether that covers all grey levels.
  bool grey_is_safe;
};

}  // namespace hellocnn::simd

#endif  // HELLOCNN_SIMD_PACKED_WEIGHTS_H_
