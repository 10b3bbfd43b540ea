// The weights, in the order in which the kernels read them.
#ifndef HELLOCNN_SIMD_PACKED_WEIGHTS_H_
#define HELLOCNN_SIMD_PACKED_WEIGHTS_H_

#include <hwy/aligned_allocator.h>

#include <span>

#include "hellocnn/image.h"
#include "hellocnn/topology.h"
#include "hellocnn/weights.h"

namespace hellocnn::simd {

// Except for the last dense layer, all layers are the same for every number of classes.
inline constexpr auto kLayerTable = PlaceLayers(kMinClasses);
inline constexpr PlacedLayer kConv1 = kLayerTable[0];
inline constexpr PlacedLayer kPool1 = kLayerTable[2];
inline constexpr PlacedLayer kConv2 = kLayerTable[3];
inline constexpr PlacedLayer kPool2 = kLayerTable[5];
// The kernel of this layer covers its whole input, so it is computed as a dense layer.
inline constexpr PlacedLayer kConv3 = kLayerTable[6];
inline constexpr PlacedLayer kLinear1 = kLayerTable[8];
// The outputs of the last layer are the classes. Their number is known only at run time:
// PackedWeights::classes.
inline constexpr int kLinear2Inputs = kLayerTable[10].input.size();
static_assert(kConv3.output.height == 1 && kConv3.output.width == 1);

// Returns `value`, rounded up to a multiple of `multiple`.
constexpr int RoundUp(int value, int multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// The number of outputs in a group. A register tile of image lanes computes a whole group, or an
// equal part of one.
inline constexpr int kConv1Group = 6;
inline constexpr int kConv2Group = 4;
inline constexpr int kDenseGroup = 6;
// A tile of a dense layer may take two groups, so dense layers are padded to two groups.
inline constexpr int kDenseMultiple = 2 * kDenseGroup;
// Channel-lane rows are padded with zeros to a multiple of kRowMultiple. The length of the last
// layer's rows is known only at run time. They are padded to a multiple of kClassRowMultiple, the
// smallest register tile.
inline constexpr int kRowMultiple = 8;
inline constexpr int kClassRowMultiple = 2 * kRowMultiple;

// One convolution or dense layer as a matrix [outputs, inputs]. The inputs of a convolution are the
// taps of its kernel in the order (channel, y, x). Both paths add the products in this order, so
// their sums are the same to the last bit.
struct PackedLayer {
  // For image lanes: [padded outputs / group, inputs, group], with zeros after the last output.
  hwy::AlignedFreeUniquePtr<float[]> groups;
  // For channel lanes: [inputs, padded outputs], with zeros after the last output.
  hwy::AlignedFreeUniquePtr<float[]> rows;
  // [padded outputs of a row], with zeros after the last output.
  hwy::AlignedFreeUniquePtr<float[]> bias;
};

// The packed weights of one model. Immutable once made, so any number of engines may share them.
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
  // If the magnitude of no input exceeds this, no sum in the network can overflow. Negative if
  // overflow cannot be excluded for any input.
  float safe_magnitude;
  // True if safe_magnitude covers all grey levels.
  bool grey_is_safe;
};

}  // namespace hellocnn::simd

#endif  // HELLOCNN_SIMD_PACKED_WEIGHTS_H_
