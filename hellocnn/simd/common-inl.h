// The code that both paths share. kernels.cc compiles this file once for each instruction set.

#include <cstddef>
#include <cstring>

#include "hellocnn/image.h"
#include "hellocnn/simd/packed_weights.h"

// This include guard admits the file once for each instruction set.
#if defined(HELLOCNN_SIMD_COMMON_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef HELLOCNN_SIMD_COMMON_INL_H_
#undef HELLOCNN_SIMD_COMMON_INL_H_
#else
#define HELLOCNN_SIMD_COMMON_INL_H_
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

// Loops over register tiles must be unrolled. Otherwise the tiles would be kept in memory.
#ifdef __clang__
#define HELLOCNN_UNROLL _Pragma("unroll")
#else
#define HELLOCNN_UNROLL _Pragma("GCC unroll 32")
#endif

HWY_BEFORE_NAMESPACE();
namespace hellocnn::simd {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// The widest vectors of the instruction set, limited to 16 floats and to 8 floats.
using Tag = hn::CappedTag<float, 16>;
using Tag8 = hn::CappedTag<float, 8>;
inline constexpr int kLanes = static_cast<int>(hn::MaxLanes(Tag()));
inline constexpr int kLanes8 = static_cast<int>(hn::MaxLanes(Tag8()));

// True if there are 32 vector registers, false if there are 16.
#if HWY_ARCH_X86 && HWY_TARGET >= HWY_AVX2
inline constexpr bool kManyRegisters = false;  // 16
#else
inline constexpr bool kManyRegisters = true;  // 32
#endif

// Hides the origin of a pointer from the compiler. Neighbouring taps read the same inputs. If the
// compiler saw that, it would keep them for the next tap, run out of registers and spill sums.
HWY_INLINE const float* Opaque(const float* pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

// Returns the greater of two numbers. Must not be used with NaN, for which the result differs
// between instruction sets.
struct Maximum {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return hn::Max(a, b);
  }
};

// Returns the greater of two numbers, or NaN if one of them is NaN.
struct MaximumOrNan {
  template <class V>
  HWY_INLINE V operator()(V a, V b) const {
    return hn::IfThenElse(hn::Or(hn::IsNaN(a), hn::Ge(a, b)), a, b);
  }
};

// Applies one row to a max pool of stride 1, from [2 * kOut, 2 * kOut] to [kOut, kOut], and ReLU.
// It is called for each row as soon as that row is computed.
//
// Both pools of the network have windows of kOut + 1, so each of the kOut windows of a row spans
// its middle. Window i joins the tail of the left half that starts at i and the head of the right
// half that ends at i. Running maxima towards the left and towards the right give all windows in 3
// operations each. The columns are pooled in the same way.
//
// `row` is row `y`: the vector of column x is at row[x * kStride]. `out` is [kOut, kOut] and `head`
// is [kOut], both with the same stride. They keep the state between rows. `out` is complete after
// the last row.
template <int kOut, int kStride, class M, class D>
HWY_INLINE void PoolRow(D d, M maximum, const float* HWY_RESTRICT row, int y,
                        float* HWY_RESTRICT head, float* HWY_RESTRICT out) {
  using V = hn::Vec<D>;
  V across[kOut];
  V running = hn::Load(d, row + (kOut - 1) * kStride);
  across[kOut - 1] = running;
  HELLOCNN_UNROLL
  for (int x = kOut - 2; x >= 0; --x) {
    running = maximum(running, hn::Load(d, row + x * kStride));
    across[x] = running;
  }
  running = hn::Load(d, row + kOut * kStride);
  across[0] = maximum(across[0], running);
  HELLOCNN_UNROLL
  for (int x = 1; x < kOut; ++x) {
    running = maximum(running, hn::Load(d, row + (kOut + x) * kStride));
    across[x] = maximum(across[x], running);
  }

  constexpr int kRow = kOut * kStride;
  if (y < kOut) {
    HELLOCNN_UNROLL
    for (int x = 0; x < kOut; ++x) hn::Store(across[x], d, out + y * kRow + x * kStride);
    if (y < kOut - 1) return;
    for (int above = kOut - 2; above >= 0; --above) {
      for (int x = 0; x < kOut; ++x) {
        float* HWY_RESTRICT at = out + above * kRow + x * kStride;
        hn::Store(maximum(hn::Load(d, at), hn::Load(d, at + kRow)), d, at);
      }
    }
    return;
  }
  const V zero = hn::Zero(d);
  const int i = y - kOut;
  HELLOCNN_UNROLL
  for (int x = 0; x < kOut; ++x) {
    float* HWY_RESTRICT at = out + i * kRow + x * kStride;
    V lower = across[x];
    if (i > 0) lower = maximum(lower, hn::Load(d, head + x * kStride));
    hn::Store(lower, d, head + x * kStride);
    hn::Store(maximum(maximum(hn::Load(d, at), lower), zero), d, at);
  }
}
static_assert(kPool1.layer.window == kPool1.output.width + 1 &&
              kPool1.input.width == 2 * kPool1.output.width);
static_assert(kPool2.layer.window == kPool2.output.width + 1 &&
              kPool2.input.width == 2 * kPool2.output.width);

// Writes `count` inputs of the network, from pixel `first` on, to `out`. `count` must be a multiple
// of kLanes.
HWY_INLINE void ReadPixels(const PackedWeights& weights, const ImageView& image, int first,
                           int count, float* HWY_RESTRICT out) {
  if (image.format == PixelFormat::kFloat32) {
    // The pixels may be unaligned.
    std::memcpy(out, image.pixels + first * sizeof(float), count * sizeof(float));
    return;
  }
  const Tag d;
  const hn::Rebind<std::int32_t, Tag> di;
  const hn::Rebind<std::uint8_t, Tag> du;
  const auto* HWY_RESTRICT grey = reinterpret_cast<const std::uint8_t*>(image.pixels) + first;
  const auto scale = hn::Set(d, weights.scale);
  const auto offset = hn::Set(d, weights.offset);
  for (int i = 0; i < count; i += kLanes) {
    const auto level = hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(du, grey + i)));
    hn::Store(hn::MulAdd(level, scale, offset), d, out + i);
  }
}

// Returns true if nothing in the network can overflow for this image. An image with a NaN is not
// safe.
inline bool IsSafe(const PackedWeights& weights, const ImageView& image) {
  if (image.format == PixelFormat::kGray8) return weights.grey_is_safe;
  const Tag d;
  const auto limit = hn::Set(d, weights.safe_magnitude);
  HWY_ALIGN float row[kImageSide];
  for (int y = 0; y < kImageSide; ++y) {
    ReadPixels(weights, image, y * kImageSide, kImageSide, row);
    for (int x = 0; x < kImageSide; x += kLanes) {
      if (!hn::AllTrue(d, hn::Le(hn::Abs(hn::Load(d, row + x)), limit))) return false;
    }
  }
  return true;
}

// Turns logits, [classes, kLanes] with one image in each lane, into log-probabilities. Writes the
// first `count` lanes: lane i becomes row which[i] of `log_probabilities`, [images, classes].
// Overwrites the logits.
inline void LogSoftmax(float* HWY_RESTRICT logits, int classes, const int* which, int count,
                       float* HWY_RESTRICT log_probabilities) {
  const Tag d;
  auto greatest = hn::Load(d, logits);
  for (int k = 1; k < classes; ++k) {
    greatest = hn::Max(greatest, hn::Load(d, logits + k * kLanes));
  }
  auto sum = hn::Zero(d);
  for (int k = 0; k < classes; ++k) {
    const auto shifted = hn::Sub(hn::Load(d, logits + k * kLanes), greatest);
    hn::Store(shifted, d, logits + k * kLanes);
    sum = hn::Add(sum, hn::Exp(d, shifted));
  }
  const auto log_sum = hn::Log(d, sum);
  for (int k = 0; k < classes; ++k) {
    hn::Store(hn::Sub(hn::Load(d, logits + k * kLanes), log_sum), d, logits + k * kLanes);
  }
  for (int i = 0; i < count; ++i) {
    float* HWY_RESTRICT row = log_probabilities + std::ptrdiff_t{which[i]} * classes;
    for (int k = 0; k < classes; ++k) row[k] = logits[k * kLanes + i];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace hellocnn::simd
HWY_AFTER_NAMESPACE();

#endif  // HELLOCNN_SIMD_COMMON_INL_H_
