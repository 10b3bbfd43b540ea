// Computes one image at a time, with the output channels in the lanes. Inputs are broadcast, and
// weights are loaded aligned. This path is for batches that are too small to fill a block.
// kernels.cc compiles this file once for each instruction set.

#include <cstddef>

#include "hellocnn/simd/common-inl.h"

#if defined(HELLOCNN_SIMD_CHANNEL_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HELLOCNN_SIMD_CHANNEL_LANES_INL_H_
#undef HELLOCNN_SIMD_CHANNEL_LANES_INL_H_
#else
#define HELLOCNN_SIMD_CHANNEL_LANES_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace hellocnn::simd {
namespace HWY_NAMESPACE {

// The numbers of channels, including the padding.
inline constexpr int kConv1Channels = RoundUp(kConv1.output.channels, kRowMultiple);
inline constexpr int kConv2Channels = RoundUp(kConv2.output.channels, kRowMultiple);

// All activations of one image except the logits, which follow this struct in memory. The last
// dimension of convolutions and pools is the channel.
struct ImageScratch {
  alignas(HWY_ALIGNMENT) float image[kImagePixels];
  float conv1_row[kConv1.output.width * kConv1Channels];
  float pool1_head[kPool1.output.width * kConv1Channels];
  float pool1[kPool1.output.height * kPool1.output.width * kConv1Channels];
  float conv2_row[kConv2.output.width * kConv2Channels];
  float pool2_head[kPool2.output.width * kConv2Channels];
  float pool2[kPool2.output.height * kPool2.output.width * kConv2Channels];
  float conv3[RoundUp(kConv3.output.channels, kRowMultiple)];
  float linear1[RoundUp(kLinear1.output.channels, kRowMultiple)];
};
static_assert(sizeof(ImageScratch) % HWY_ALIGNMENT == 0);

// Returns the number of floats for the logits: [classes, kLanes] for kLanes images, then the logits
// of one image, padded to a multiple of kClassRowMultiple.
constexpr std::size_t ImageLogits(int classes) {
  return std::size_t{kLanes} * classes + RoundUp(classes, kClassRowMultiple);
}

// These arrays are loaded in whole vectors of more than 8 floats, so they must be aligned to them.
static_assert(offsetof(ImageScratch, conv2_row) % (kLanes * sizeof(float)) == 0 &&
              offsetof(ImageScratch, pool2_head) % (kLanes * sizeof(float)) == 0 &&
              offsetof(ImageScratch, pool2) % (kLanes * sizeof(float)) == 0);

// Computes one row of a convolution: all of its columns, with kChannels channels including the
// padding. A register tile has all channels and kColumns columns. `in` is row y of the input, whose
// positions are kInStride floats apart. `out` is [width, kChannels].
template <int kChannels, int kColumns, int kInStride, class D>
HWY_INLINE void ConvRow(D d, const PlacedLayer& placed, const PackedLayer& layer,
                        const float* HWY_RESTRICT in, float* HWY_RESTRICT out) {
  constexpr int kLanesHere = static_cast<int>(hn::MaxLanes(D()));
  constexpr int kVectors = kChannels / kLanesHere;
  constexpr int kWindow = kConv1.layer.window;
  for (int x0 = 0; x0 < placed.output.width; x0 += kColumns) {
    hn::Vec<D> sums[kColumns][kVectors];
    HELLOCNN_UNROLL
    for (int x = 0; x < kColumns; ++x) {
      HELLOCNN_UNROLL
      for (int v = 0; v < kVectors; ++v)
        sums[x][v] = hn::Load(d, layer.bias.get() + v * kLanesHere);
    }
    const float* HWY_RESTRICT weights = layer.rows.get();
    for (int channel = 0; channel < placed.input.channels; ++channel) {
      for (int ky = 0; ky < kWindow; ++ky) {
        const float* HWY_RESTRICT row = in + (ky * placed.input.width + x0) * kInStride + channel;
        HELLOCNN_UNROLL
        for (int kx = 0; kx < kWindow; ++kx) {
          const float* HWY_RESTRICT values = Opaque(row + kx * kInStride);
          hn::Vec<D> tap[kVectors];
          HELLOCNN_UNROLL
          for (int v = 0; v < kVectors; ++v) tap[v] = hn::Load(d, weights + v * kLanesHere);
          HELLOCNN_UNROLL
          for (int x = 0; x < kColumns; ++x) {
            const auto value = hn::Set(d, values[x * kInStride]);
            HELLOCNN_UNROLL
            for (int v = 0; v < kVectors; ++v) {
              sums[x][v] = hn::MulAdd(tap[v], value, sums[x][v]);
            }
          }
          weights += kChannels;
        }
      }
    }
    HELLOCNN_UNROLL
    for (int x = 0; x < kColumns; ++x) {
      HELLOCNN_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        hn::Store(sums[x][v], d, out + (x0 + x) * kChannels + v * kLanesHere);
      }
    }
  }
}

// Pools one row of kChannels channels; see PoolRow.
template <int kOut, int kChannels, class M, class D>
HWY_INLINE void PoolChannels(D d, M maximum, const float* row, int y, float* head, float* out) {
  constexpr int kLanesHere = static_cast<int>(hn::MaxLanes(D()));
  for (int c = 0; c < kChannels; c += kLanesHere) {
    PoolRow<kOut, kChannels>(d, maximum, row + c, y, head + c, out + c);
  }
}

// Computes a register tile of a dense layer: kVectors vectors of outputs, from output `first` on.
// The layer has `padded` outputs. Input i of [kOuter, kInner] is at
// in[i / kInner + i % kInner * kInnerStride].
template <int kVectors, int kOuter, int kInner, int kInnerStride, bool kReLU, class M>
HWY_INLINE void DenseTile(M maximum, const PackedLayer& layer, int first, int padded,
                          const float* HWY_RESTRICT in, float* HWY_RESTRICT out) {
  const Tag8 d;
  hn::Vec<Tag8> sums[kVectors];
  HELLOCNN_UNROLL
  for (int v = 0; v < kVectors; ++v) sums[v] = hn::Load(d, layer.bias.get() + first + v * kLanes8);
  const float* HWY_RESTRICT row = layer.rows.get() + first;
  for (int outer = 0; outer < kOuter; ++outer) {
    for (int inner = 0; inner < kInner; ++inner) {
      const auto value = hn::Set(d, in[outer + inner * kInnerStride]);
      HELLOCNN_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        sums[v] = hn::MulAdd(hn::Load(d, row + v * kLanes8), value, sums[v]);
      }
      row += padded;
    }
  }
  HELLOCNN_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const auto sum = kReLU ? maximum(sums[v], hn::Zero(d)) : sums[v];
    hn::Store(sum, d, out + first + v * kLanes8);
  }
}

// Computes a dense layer with ReLU. The number of outputs is kOutputs, rounded up to kRowMultiple.
// The inputs are laid out as in DenseTile.
template <int kOutputs, int kOuter, int kInner, int kInnerStride, class M>
HWY_INLINE void DenseOne(M maximum, const PackedLayer& layer, const float* HWY_RESTRICT in,
                         float* HWY_RESTRICT out) {
  constexpr int kPadded = RoundUp(kOutputs, kRowMultiple);
  // One sum for each vector of 8 outputs, at most 15, stays in a register.
  constexpr int kVectors = kPadded / kRowMultiple;
  for (int o = 0; o < kPadded; o += kVectors * kLanes8) {
    DenseTile<kVectors, kOuter, kInner, kInnerStride, true>(maximum, layer, o, kPadded, in, out);
  }
}

// Computes the last dense layer, which may have any number of outputs: first in large tiles, then
// in small ones.
template <class M>
HWY_INLINE void DenseClasses(M maximum, const PackedLayer& layer, int classes,
                             const float* HWY_RESTRICT in, float* HWY_RESTRICT out) {
  constexpr int kLarge = 8;
  constexpr int kSmall = kClassRowMultiple / kRowMultiple;
  const int padded = RoundUp(classes, kClassRowMultiple);
  int o = 0;
  for (; o + kLarge * kLanes8 <= padded; o += kLarge * kLanes8) {
    DenseTile<kLarge, 1, kLinear2Inputs, 1, false>(maximum, layer, o, padded, in, out);
  }
  for (; o < padded; o += kSmall * kLanes8) {
    DenseTile<kSmall, 1, kLinear2Inputs, 1, false>(maximum, layer, o, padded, in, out);
  }
}

// Computes the logits of one image.
template <class M>
HWY_INLINE void Logits(const PackedWeights& weights, const ImageView& image, ImageScratch& scratch,
                       float* HWY_RESTRICT logits) {
  const M maximum;
  ReadPixels(weights, image, 0, kImagePixels, scratch.image);

  // The sums take 14 of 16 registers, or 20 of 32.
  constexpr int kVectors1 = kConv1Channels / kLanes8;
  constexpr int kColumns1 = HWY_MAX(1, 14 / kVectors1);
  static_assert(kConv1.output.width % kColumns1 == 0);
  for (int y = 0; y < kConv1.output.height; ++y) {
    ConvRow<kConv1Channels, kColumns1, 1>(Tag8(), kConv1, weights.conv1,
                                          scratch.image + y * kImageSide, scratch.conv1_row);
    PoolChannels<kPool1.output.width, kConv1Channels>(Tag8(), maximum, scratch.conv1_row, y,
                                                      scratch.pool1_head, scratch.pool1);
  }
  constexpr int kVectors2 = kConv2Channels / kLanes;
  constexpr int kColumns2 = HWY_MAX(1, HWY_MIN(10, (kManyRegisters ? 20 : 10) / kVectors2));
  static_assert(kConv2.output.width % kColumns2 == 0);
  for (int y = 0; y < kConv2.output.height; ++y) {
    ConvRow<kConv2Channels, kColumns2, kConv1Channels>(
        Tag(), kConv2, weights.conv2, scratch.pool1 + y * kConv2.input.width * kConv1Channels,
        scratch.conv2_row);
    PoolChannels<kPool2.output.width, kConv2Channels>(Tag(), maximum, scratch.conv2_row, y,
                                                      scratch.pool2_head, scratch.pool2);
  }
  constexpr Shape kFeatures = kPool2.output;
  DenseOne<kConv3.output.channels, kFeatures.channels, kFeatures.height * kFeatures.width,
           kConv2Channels>(maximum, weights.conv3, scratch.pool2, scratch.conv3);
  DenseOne<kLinear1.output.channels, 1, kConv3.output.channels, 1>(maximum, weights.linear1,
                                                                   scratch.conv3, scratch.linear1);
  DenseClasses(maximum, weights.linear2, weights.classes, scratch.linear1, logits);
}

template <class M>
void ClassifyEach(const PackedWeights& weights, const ImageView* images, const int* which,
                  int count, void* memory, float* log_probabilities) {
  auto& scratch = *static_cast<ImageScratch*>(memory);
  const int classes = weights.classes;
  auto* const together = reinterpret_cast<float*>(&scratch + 1);  // [classes, kLanes]
  float* const alone = together + classes * kLanes;
  for (int first = 0; first < count; first += kLanes) {
    const int some = HWY_MIN(kLanes, count - first);
    std::memset(together, 0, sizeof(float) * classes * kLanes);
    for (int i = 0; i < some; ++i) {
      Logits<M>(weights, images[which[first + i]], scratch, alone);
      for (int k = 0; k < classes; ++k) together[k * kLanes + i] = alone[k];
    }
    LogSoftmax(together, classes, which + first, some, log_probabilities);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace hellocnn::simd
HWY_AFTER_NAMESPACE();

#endif  // HELLOCNN_SIMD_CHANNEL_LANES_INL_H_
