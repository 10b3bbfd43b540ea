#include "hellocnn/torch/sliding_max.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

// Compiles the rest of this file once for each instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hellocnn/torch/sliding_max.cc"
#include <hwy/foreach_target.h>
// Must be included after foreach_target.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace hellocnn {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Replaces each of `count` values by the maximum of itself and the value `shift` places later, and
// its winner likewise. Writes up to one vector more than `count`.
void MergeShifted(std::size_t count, std::size_t shift, float* values, std::int32_t* winners) {
  const hn::ScalableTag<float> floats;
  const hn::RebindToSigned<decltype(floats)> ints;
  for (std::size_t i = 0; i < count; i += hn::Lanes(floats)) {
    const auto here = hn::LoadU(floats, values + i);
    const auto there = hn::LoadU(floats, values + i + shift);
    const auto later = hn::Gt(there, here);
    hn::StoreU(hn::IfThenElse(later, there, here), floats, values + i);
    hn::StoreU(hn::IfThenElse(hn::RebindMask(ints, later), hn::LoadU(ints, winners + i + shift),
                              hn::LoadU(ints, winners + i)),
               ints, winners + i);
  }
}

// Slides over values that are `stride` apart, by windows of 2, 4, 8 and so on, and finally by two
// windows that overlap. Returns how many of `count` values are left. At the end of a row, it mixes
// in values of the next row; no window that lies within the plane contains them.
std::size_t Slide(std::size_t count, std::size_t window, std::size_t stride, float* values,
                  std::int32_t* winners) {
  const auto merge = [&](std::size_t shift) {
    count -= shift * stride;
    MergeShifted(count, shift * stride, values, winners);
  };
  std::size_t width = 1;
  for (; width * 2 <= window; width *= 2) merge(width);
  if (width < window) merge(window - width);
  return count;
}

void SlidingMaxOfPlanes(const PoolShape& shape, const float* input, float* output,
                        std::int32_t* output_winners) {
  const auto pixels = static_cast<std::size_t>(shape.input_pixels());
  const auto width = static_cast<std::size_t>(shape.width);
  const auto window = static_cast<std::size_t>(shape.window);
  const std::size_t padded = pixels + hn::Lanes(hn::ScalableTag<float>());
  std::vector<float> values(padded);
  std::vector<std::int32_t> winners(padded);
  for (std::int64_t plane = 0; plane < shape.planes; ++plane) {
    std::copy_n(input, pixels, values.begin());
    input += pixels;
    std::iota(winners.begin(), winners.end(), 0);
    const std::size_t left = Slide(pixels, window, width, values.data(), winners.data());
    Slide(left, window, 1, values.data(), winners.data());
    for (std::int64_t y = 0; y < shape.output_height(); ++y) {
      output = std::copy_n(values.data() + y * shape.width, shape.output_width(), output);
      output_winners =
          std::copy_n(winners.data() + y * shape.width, shape.output_width(), output_winners);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace hellocnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hellocnn {

HWY_EXPORT(SlidingMaxOfPlanes);

void SlidingMax(const PoolShape& shape, const float* input, float* output, std::int32_t* winners) {
  HWY_DYNAMIC_DISPATCH(SlidingMaxOfPlanes)(shape, input, output, winners);
}

void SlidingMaxGradient(const PoolShape& shape, const float* output_gradient,
                        const std::int32_t* winners, float* input_gradient) {
  std::fill_n(input_gradient, shape.planes * shape.input_pixels(), 0.0F);
  for (std::int64_t plane = 0; plane < shape.planes; ++plane) {
    for (std::int64_t i = 0; i < shape.output_pixels(); ++i)
      input_gradient[*winners++] += *output_gradient++;
    input_gradient += shape.input_pixels();
  }
}

}  // namespace hellocnn
#endif
