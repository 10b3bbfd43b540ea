// Computes one image in each lane: every layer is the scalar code, applied to vectors. Weights are
// broadcast, and activations are loaded aligned. Only the input is shuffled. kernels.cc compiles
// this file once for each instruction set.

#include <cstddef>

#include "hellocnn/simd/common-inl.h"

#if defined(HELLOCNN_SIMD_IMAGE_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HELLOCNN_SIMD_IMAGE_LANES_INL_H_
#undef HELLOCNN_SIMD_IMAGE_LANES_INL_H_
#else
#define HELLOCNN_SIMD_IMAGE_LANES_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace hellocnn::simd {
namespace HWY_NAMESPACE {

// From this number of images on, a block with empty lanes is cheaper than one image at a time. The
// numbers were measured; see docs/engine.md.
inline constexpr int kBlockFrom = kLanes == 16 ? 10 : kLanes == 8 ? 6 : kLanes;

// Dense layers compute two blocks at once, so that each weight is loaded once for both.
inline constexpr int kBlocks = 2;

// All activations except the logits, which follow this struct in memory. The last dimension of each
// array is the lane.
struct BlockScratch {
  alignas(HWY_ALIGNMENT) float image[kImagePixels * kLanes];
  float conv1_row[kConv1.output.channels * kConv1.output.width * kLanes];
  float pool1_head[kConv1.output.channels * kPool1.output.width * kLanes];
  float pool1[kPool1.output.size() * kLanes];
  float conv2_row[kConv2Group * kConv2.output.width * kLanes];
  float pool2_head[kConv2.output.channels * kPool2.output.width * kLanes];
  float pool2[kBlocks * kPool2.output.size() * kLanes];
  float conv3[kBlocks * RoundUp(kConv3.output.channels, kDenseMultiple) * kLanes];
  float linear1[kBlocks * RoundUp(kLinear1.output.channels, kDenseMultiple) * kLanes];
};
static_assert(sizeof(BlockScratch) % HWY_ALIGNMENT == 0);

// Returns the number of floats for the logits, [kBlocks, classes rounded up to kDenseMultiple,
// kLanes].
constexpr std::size_t BlockLogits(int classes) {
  return std::size_t{kBlocks} * kLanes * RoundUp(classes, kDenseMultiple);
}

// Writes row `y` of the `count` images of `which` to `to`, a row of scratch.image. The remaining
// lanes repeat the last image.
HWY_INLINE void ReadRow(const PackedWeights& weights, const ImageView* images, const int* which,
                        int count, int y, float* HWY_RESTRICT to) {
  alignas(HWY_ALIGNMENT) float rows[kLanes][kImageSide];
  for (int i = 0; i < kLanes; ++i) {
    ReadPixels(weights, images[which[HWY_MIN(i, count - 1)]], y * kImageSide, kImageSide, rows[i]);
  }
#if HWY_TARGET == HWY_SCALAR
  for (int x = 0; x < kImageSide; ++x) to[x] = rows[0][x];
#else
  // Transposes squares of 4 images by 4 pixels.
  const hn::CappedTag<float, 4> d;
  const hn::Repartition<std::uint64_t, decltype(d)> pairs;
  for (int i = 0; i < kLanes; i += 4) {
    for (int x = 0; x < kImageSide; x += 4) {
      const auto a = hn::Load(d, rows[i] + x);
      const auto b = hn::Load(d, rows[i + 1] + x);
      const auto c = hn::Load(d, rows[i + 2] + x);
      const auto e = hn::Load(d, rows[i + 3] + x);
      const auto ab01 = hn::BitCast(pairs, hn::InterleaveLower(d, a, b));
      const auto ab23 = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b));
      const auto ce01 = hn::BitCast(pairs, hn::InterleaveLower(d, c, e));
      const auto ce23 = hn::BitCast(pairs, hn::InterleaveUpper(d, c, e));
      float* HWY_RESTRICT at = to + x * kLanes + i;
      hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, ab01, ce01)), d, at);
      hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, ab01, ce01)), d, at + kLanes);
      hn::Store(hn::BitCast(d, hn::InterleaveLower(pairs, ab23, ce23)), d, at + 2 * kLanes);
      hn::Store(hn::BitCast(d, hn::InterleaveUpper(pairs, ab23, ce23)), d, at + 3 * kLanes);
    }
  }
#endif
}

// Computes a register tile of a convolution: kChannels output channels by kColumns positions of a
// row. `in` is the tap (0, 0, 0) of the first position, in the input [channels, height, width] of
// `placed`. `groups` has kStride weights for each tap, of which the first kChannels are used. `out`
// is [kChannels, width].
template <int kChannels, int kColumns, int kStride>
HWY_INLINE void ConvTile(const PlacedLayer& placed, const float* HWY_RESTRICT in,
                         const float* HWY_RESTRICT groups, const float* HWY_RESTRICT bias,
                         float* HWY_RESTRICT out) {
  const Tag d;
  hn::Vec<Tag> sums[kChannels][kColumns];
  HELLOCNN_UNROLL
  for (int c = 0; c < kChannels; ++c) {
    HELLOCNN_UNROLL
    for (int x = 0; x < kColumns; ++x) sums[c][x] = hn::Set(d, bias[c]);
  }
  constexpr int kWindow = kConv1.layer.window;
  static_assert(kWindow == kConv2.layer.window);
  for (int channel = 0; channel < placed.input.channels; ++channel) {
    const float* HWY_RESTRICT row =
        in + channel * placed.input.height * placed.input.width * kLanes;
    for (int ky = 0; ky < kWindow; ++ky) {
      HELLOCNN_UNROLL
      for (int kx = 0; kx < kWindow; ++kx) {
        const float* HWY_RESTRICT tap = row + kx * kLanes;
        hn::Vec<Tag> inputs[kColumns];
        HELLOCNN_UNROLL
        for (int x = 0; x < kColumns; ++x) inputs[x] = hn::Load(d, tap + x * kLanes);
        HELLOCNN_UNROLL
        for (int c = 0; c < kChannels; ++c) {
          const auto weight = hn::Set(d, groups[c]);
          HELLOCNN_UNROLL
          for (int x = 0; x < kColumns; ++x) {
            sums[c][x] = hn::MulAdd(weight, inputs[x], sums[c][x]);
          }
        }
        groups += kStride;
      }
      row += placed.input.width * kLanes;
    }
  }
  HELLOCNN_UNROLL
  for (int c = 0; c < kChannels; ++c) {
    HELLOCNN_UNROLL
    for (int x = 0; x < kColumns; ++x) {
      hn::Store(sums[c][x], d, out + (c * placed.output.width + x) * kLanes);
    }
  }
}

// Computes convolution 1, ReLU and pool 1. Each row of the convolution is pooled while it is still
// in the first-level cache.
inline void Band1(const PackedWeights& weights, const ImageView* images, const int* which,
                  int count, BlockScratch& scratch) {
  constexpr int kColumns = kManyRegisters ? 4 : 2;
  static_assert(kConv1.output.width % kColumns == 0 && kConv1.output.channels == kConv1Group);
  constexpr int kRow = kImageSide * kLanes;
  int read = 0;
  for (int y = 0; y < kConv1.output.height; ++y) {
    for (; read < y + kConv1.layer.window; ++read) {
      ReadRow(weights, images, which, count, read, scratch.image + read * kRow);
    }
    for (int x = 0; x < kConv1.output.width; x += kColumns) {
      ConvTile<kConv1Group, kColumns, kConv1Group>(
          kConv1, scratch.image + y * kRow + x * kLanes, weights.conv1.groups.get(),
          weights.conv1.bias.get(), scratch.conv1_row + x * kLanes);
    }
    for (int c = 0; c < kConv1.output.channels; ++c) {
      constexpr int kWidth = kPool1.output.width;
      PoolRow<kWidth, kLanes>(
          Tag(), Maximum(), scratch.conv1_row + c * kConv1.output.width * kLanes, y,
          scratch.pool1_head + c * kWidth * kLanes, scratch.pool1 + c * kWidth * kWidth * kLanes);
    }
  }
}

// Computes convolution 2, ReLU and pool 2 in the same way. `out` is [kPool2.output.size()].
inline void Band2(const PackedWeights& weights, BlockScratch& scratch, float* out) {
  constexpr int kChannels = kManyRegisters ? 4 : 2;
  constexpr int kColumns = 5;
  static_assert(kConv2.output.width % kColumns == 0 && kConv2Group % kChannels == 0);
  for (int y = 0; y < kConv2.output.height; ++y) {
    const float* in = scratch.pool1 + y * kConv2.input.width * kLanes;
    for (int c = 0; c < kConv2.output.channels; c += kChannels) {
      const float* groups = weights.conv2.groups.get() +
                            (c / kConv2Group) * kConv2Group * kConv2.input.channels *
                                kConv2.layer.window * kConv2.layer.window +
                            c % kConv2Group;
      for (int x = 0; x < kConv2.output.width; x += kColumns) {
        ConvTile<kChannels, kColumns, kConv2Group>(kConv2, in + x * kLanes, groups,
                                                   weights.conv2.bias.get() + c,
                                                   scratch.conv2_row + x * kLanes);
      }
      for (int i = 0; i < kChannels; ++i) {
        constexpr int kWidth = kPool2.output.width;
        PoolRow<kWidth, kLanes>(Tag(), Maximum(),
                                scratch.conv2_row + i * kConv2.output.width * kLanes, y,
                                scratch.pool2_head + (c + i) * kWidth * kLanes,
                                out + (c + i) * kWidth * kWidth * kLanes);
      }
    }
  }
}

// Computes a dense layer for kCount blocks. `in` is [kCount, inputs], and `out` is [kCount, outputs
// rounded up to kDenseMultiple].
template <int kCount, bool kReLU>
HWY_INLINE void Dense(const PackedLayer& layer, int inputs, int outputs,
                      const float* HWY_RESTRICT in, float* HWY_RESTRICT out) {
  constexpr int kGroups = kManyRegisters || kCount == 1 ? 2 : 1;
  const Tag d;
  const int padded = RoundUp(outputs, kDenseMultiple);
  for (int o = 0; o < outputs; o += kGroups * kDenseGroup) {
    hn::Vec<Tag> sums[kGroups][kDenseGroup][kCount];
    const float* HWY_RESTRICT groups = layer.groups.get() + o * inputs;
    HELLOCNN_UNROLL
    for (int g = 0; g < kGroups; ++g) {
      HELLOCNN_UNROLL
      for (int i = 0; i < kDenseGroup; ++i) {
        const int output = HWY_MIN(o + g * kDenseGroup + i, outputs - 1);
        HELLOCNN_UNROLL
        for (int b = 0; b < kCount; ++b) sums[g][i][b] = hn::Set(d, layer.bias[output]);
      }
    }
    for (int k = 0; k < inputs; ++k) {
      hn::Vec<Tag> values[kCount];
      HELLOCNN_UNROLL
      for (int b = 0; b < kCount; ++b) values[b] = hn::Load(d, in + (b * inputs + k) * kLanes);
      HELLOCNN_UNROLL
      for (int g = 0; g < kGroups; ++g) {
        HELLOCNN_UNROLL
        for (int i = 0; i < kDenseGroup; ++i) {
          const auto weight = hn::Set(d, groups[(g * inputs + k) * kDenseGroup + i]);
          HELLOCNN_UNROLL
          for (int b = 0; b < kCount; ++b) {
            sums[g][i][b] = hn::MulAdd(weight, values[b], sums[g][i][b]);
          }
        }
      }
    }
    HELLOCNN_UNROLL
    for (int g = 0; g < kGroups; ++g) {
      HELLOCNN_UNROLL
      for (int i = 0; i < kDenseGroup; ++i) {
        HELLOCNN_UNROLL
        for (int b = 0; b < kCount; ++b) {
          const int output = o + g * kDenseGroup + i;
          const auto sum = kReLU ? hn::Max(sums[g][i][b], hn::Zero(d)) : sums[g][i][b];
          hn::Store(sum, d, out + (b * padded + output) * kLanes);
        }
      }
    }
  }
}

template <int kCount>
HWY_INLINE void DenseLayers(const PackedWeights& weights, BlockScratch& scratch,
                            float* HWY_RESTRICT logits) {
  constexpr int kInputs = kPool2.output.size();
  static_assert(kConv3.output.channels % (kDenseMultiple) == 0 &&
                    kLinear1.output.channels % (kDenseMultiple) == 0,
                "the outputs of one layer are the inputs of the next, without padding");
  Dense<kCount, true>(weights.conv3, kInputs, kConv3.output.channels, scratch.pool2, scratch.conv3);
  Dense<kCount, true>(weights.linear1, kConv3.output.channels, kLinear1.output.channels,
                      scratch.conv3, scratch.linear1);
  Dense<kCount, false>(weights.linear2, kLinear2Inputs, weights.classes, scratch.linear1, logits);
}

inline void ClassifyBlocks(const PackedWeights& weights, const ImageView* images, const int* which,
                           int count, void* memory, float* log_probabilities) {
  auto& scratch = *static_cast<BlockScratch*>(memory);
  auto* const logits = reinterpret_cast<float*>(&scratch + 1);
  const int blocks = count > kLanes ? 2 : 1;
  for (int b = 0; b < blocks; ++b) {
    Band1(weights, images, which + b * kLanes, HWY_MIN(kLanes, count - b * kLanes), scratch);
    Band2(weights, scratch, scratch.pool2 + b * kPool2.output.size() * kLanes);
  }
  if (blocks == 2) {
    DenseLayers<2>(weights, scratch, logits);
  } else {
    DenseLayers<1>(weights, scratch, logits);
  }
  const int padded = RoundUp(weights.classes, kDenseMultiple);
  for (int b = 0; b < blocks; ++b) {
    LogSoftmax(logits + b * padded * kLanes, weights.classes, which + b * kLanes,
               HWY_MIN(kLanes, count - b * kLanes), log_probabilities);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace hellocnn::simd
HWY_AFTER_NAMESPACE();

#endif  // HELLOCNN_SIMD_IMAGE_LANES_INL_H_
