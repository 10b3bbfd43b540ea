// The weights in the order in which the kernels read them.
#ifndef HELLOCNN_SIMD_PACKED_WEIGHTS_H_
#define HELLOCNN_SIMD_PACKED_WEIGHTS_H_

#include <hwy/aligned_allocator.h>

#include <span>

#include "hellocnn/image.h"
#include "hellocnn/topology.h"
#include "hellocnn/weights.h"

namespace hellocnn::simd {

// All layers but the last dense one are the same for every number of classes.
inline constexpr auto kLayerTable = PlaceLayers(kMinClasses);
inline constexpr PlacedLayer kConv1 = kLayerTable[0];
inline constexpr PlacedLayer kPool1 = kLayerTable[2];
inline constexpr PlacedLayer kConv2 = kLayerTable[3];
inline constexpr PlacedLayer kPool2 = kLayerTable[5];
// Its kernel covers all of its input, so it is computed as a dense layer.
inline constexpr PlacedLayer kConv3 = kLayerTable[6];
inline constexpr PlacedLayer kLinear1 = kLayerTable[8];
// Its outputs are the classes, a number that is known at run time: PackedWeights::classes.
inline constexpr int kLinear2Inputs = kLayerTable[10].input.size();
static_assert(kConv3.output.height == 1 && kConv3.output.width == 1);

constexpr int RoundUp(int value, int multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Outputs that an image-lane register tile may compute together: a tile takes a whole group or an
// equal part of one.
inline constexpr int kConv1Group = 6;
inline constexpr int kConv2Group = 4;
inline constexpr int kDenseGroup = 6;
// A tile may take two groups, so dense layers are padded to that.
inline constexpr int kDenseMultiple = 2 * kDenseGroup;
// Channel-lane rows are padded with zeros to a multiple of this, and those of the last layer, whose
// length is known at run time, to two of it: the smallest register tile.
inline constexpr int kRowMultiple = 8;
inline constexpr int kClassRowMultiple = 2 * kRowMultiple;

// One convolution or dense layer as a matrix [outputs, inputs], where the inputs of a convolution
// are the taps of its kernel in the order (channel, y, x). Both paths add products up in this
// order, which makes their sums the same to the last bit.
struct PackedLayer {
  // For image lanes: [padded outputs / group, inputs, group], zeros after the last output.
  hwy::AlignedFreeUniquePtr<float[]> groups;
  // For channel lanes: [inputs, padded outputs], zeros after the last output.
  hwy::AlignedFreeUniquePtr<float[]> rows;
  // [padded outputs of a row], zeros after the last output.
  hwy::AlignedFreeUniquePtr<float[]> bias;
};

// Immutable once made, so any number of engines may share it.
struct PackedWeights {
  PackedWeights(const Weights& weights, const Normalization& normalization);

  int classes;
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
