#include "hellocnn/simd/pixel_moments.h"

#include <cstddef>
#include <cstdint>

#include "hellocnn/simd/targets.h"

// Compiles the rest of this file once for each instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hellocnn/simd/pixel_moments.cc"
#include <hwy/foreach_target.h>
// Must be included after foreach_target.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace hellocnn::simd {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

// A vector of a single number cannot be reinterpreted as a vector of wider numbers, so this target
// has its own version.
PixelMoments MeasureGray8(const std::byte* pixels) {
  std::int32_t sum = 0;
  std::int32_t squares = 0;
  for (int i = 0; i < kImagePixels; ++i) {
    const auto grey = std::to_integer<std::int32_t>(pixels[i]);
    sum += grey;
    squares += grey * grey;
  }
  return {static_cast<double>(sum) / kImagePixels, static_cast<double>(squares) / kImagePixels};
}

#else

PixelMoments MeasureGray8(const std::byte* pixels) {
  const hn::CappedTag<std::uint8_t, 64> bytes;
  const hn::Repartition<std::uint16_t, decltype(bytes)> pairs;
  const hn::RebindToSigned<decltype(pairs)> words;
  const hn::Repartition<std::int32_t, decltype(bytes)> squares_tag;
  const hn::Repartition<std::uint64_t, decltype(bytes)> sums_tag;

  auto sums = hn::Zero(sums_tag);
  // Highway chooses to which of the two it adds a square. Even 1,024 squares of 255 fit in either.
  auto squares0 = hn::Zero(squares_tag);
  auto squares1 = hn::Zero(squares_tag);
  const auto* const grey = reinterpret_cast<const std::uint8_t*>(pixels);
  for (std::size_t i = 0; i < kImagePixels; i += hn::Lanes(bytes)) {
    const auto levels = hn::LoadU(bytes, grey + i);
    sums = hn::Add(sums, hn::SumsOf8(levels));
    const auto pair = hn::BitCast(pairs, levels);
    const auto low = hn::BitCast(words, hn::And(pair, hn::Set(pairs, 0xFF)));
    const auto high = hn::BitCast(words, hn::ShiftRight<8>(pair));
    squares0 = hn::ReorderWidenMulAccumulate(squares_tag, low, low, squares0, squares1);
    squares0 = hn::ReorderWidenMulAccumulate(squares_tag, high, high, squares0, squares1);
  }
  const std::uint64_t sum = hn::GetLane(hn::SumOfLanes(sums_tag, sums));
  const std::int32_t squares =
      hn::GetLane(hn::SumOfLanes(squares_tag, hn::Add(squares0, squares1)));
  return {static_cast<double>(sum) / kImagePixels, static_cast<double>(squares) / kImagePixels};
}

#endif

PixelMoments MeasureFloat32(const std::byte* pixels) {
  const hn::CappedTag<double, 8> doubles;
  const hn::Rebind<float, decltype(doubles)> floats;
  const std::size_t lanes = hn::Lanes(doubles);

  // There are two sums of each kind, because each addition to a single sum would wait for the
  // previous one.
  auto sum0 = hn::Zero(doubles);
  auto sum1 = hn::Zero(doubles);
  auto squares0 = hn::Zero(doubles);
  auto squares1 = hn::Zero(doubles);
  const auto* const values = reinterpret_cast<const float*>(pixels);
  for (std::size_t i = 0; i < kImagePixels; i += 2 * lanes) {
    const auto value0 = hn::PromoteTo(doubles, hn::LoadU(floats, values + i));
    const auto value1 = hn::PromoteTo(doubles, hn::LoadU(floats, values + i + lanes));
    sum0 = hn::Add(sum0, value0);
    sum1 = hn::Add(sum1, value1);
    squares0 = hn::MulAdd(value0, value0, squares0);
    squares1 = hn::MulAdd(value1, value1, squares1);
  }
  return {hn::GetLane(hn::SumOfLanes(doubles, hn::Add(sum0, sum1))) / kImagePixels,
          hn::GetLane(hn::SumOfLanes(doubles, hn::Add(squares0, squares1))) / kImagePixels};
}

}  // namespace HWY_NAMESPACE
}  // namespace hellocnn::simd
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hellocnn::simd {

HWY_EXPORT(MeasureGray8);
HWY_EXPORT(MeasureFloat32);
PixelMoments MeasurePixels(const ImageView& image) {
  return image.format == PixelFormat::kGray8 ? HWY_DYNAMIC_DISPATCH(MeasureGray8)(image.pixels)
                                             : HWY_DYNAMIC_DISPATCH(MeasureFloat32)(image.pixels);
}

}  // namespace hellocnn::simd
#endif
