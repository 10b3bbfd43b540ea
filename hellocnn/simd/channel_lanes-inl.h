// One image at a time, output channels in the lanes: inputs are broadcast, weights loaded aligned.
// For batches too small to fill a block. Compiled once for each instruction set: see kernels.cc.

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

// Channels with their padding.
inline constexpr int kConv1Channels = RoundUp(kConv1.output.channels, kRowMultiple);
inline constexpr int kConv2Channels = RoundUp(kConv2.output.channels, kRowMultiple);

// Activations of one image but the logits, which follow it; of convolutions and pools, the last
// dimension is the channel.
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

// Floats of the logits: [classes, kLanes] of as many images, then those of one image, which are
// padded to a multiple of kClassRowMultiple.
constexpr std::size_t ImageLogits(int classes) {
  return std::size_t{kLanes} * classes + RoundUp(classes, kClassRowMultiple);
}

// What is loaded in whole vectors of more than 8.
static_assert(offsetof(ImageScratch, conv2_row) % (kLanes * sizeof(float)) == 0 &&
              offsetof(ImageScratch, pool2_head) % (kLanes * sizeof(float)) == 0 &&
              offsetof(ImageScratch, pool2) % (kLanes * sizeof(float)) == 0);

// A row of a convolution: kChannels channels, with padding, of all of its columns. A register tile
// is all channels by kColumns columns. `in` is row y of the input, whose positions are kInStride
// apart; `out` is [width, kChannels].
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

// Pools a row of kChannels channels.
template <int kOut, int kChannels, class M, class D>
HWY_INLINE void PoolChannels(D d, M maximum, const float* row, int y, float* head, float* out) {
  constexpr int kLanesHere = static_cast<int>(hn::MaxLanes(D()));
  for (int c = 0; c < kChannels; c += kLanesHere) {
    PoolRow<kOut, kChannels>(d, maximum, row + c, y, head + c, out + c);
  }
}

// A register tile of a dense layer: kVectors vectors of outputs from `first` on, out of `padded`.
// Input i of [kOuter, kInner] is at in[i / kInner + i % kInner * kInnerStride].
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

// A dense layer of kOutputs outputs, rounded up, with ReLU. Inputs as in DenseTile.
template <int kOutputs, int kOuter, int kInner, int kInnerStride, class M>
HWY_INLINE void DenseOne(M maximum, const PackedLayer& layer, const float* HWY_RESTRICT in,
                         float* HWY_RESTRICT out) {
  constexpr int kPadded = RoundUp(kOutputs, kRowMultiple);
  // As many sums as there are vectors of 8 in a row, 15 at most, stay in registers.
  constexpr int kVectors = kPadded / kRowMultiple;
  for (int o = 0; o < kPadded; o += kVectors * kLanes8) {
    DenseTile<kVectors, kOuter, kInner, kInnerStride, true>(maximum, layer, o, kPadded, in, out);
  }
}

// The last dense layer, of any number of outputs: in large tiles first, then in small ones.
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

// From an image to its logits.
template <class M>
HWY_INLINE void Logits(const PackedWeights& weights, const ImageView& image, ImageScratch& scratch,
                       float* HWY_RESTRICT logits) {
  const M maximum;
  ReadPixels(weights, image, 0, kImagePixels, scratch.image);

  // Registers for the sums: 14 of 16, or 20 of 32.
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
