#include "benchmarks/roofline.h"

#include "hellocnn/simd/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "benchmarks/roofline.cc"
#include <hwy/foreach_target.h>
// Must come after foreach_target.h.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace hellocnn {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

std::int64_t MultiplyAdds() {
  // More than latency times throughput of any CPU's multiply-add units, and fewer than its
  // registers.
  constexpr int kChains = 12;
  constexpr int kSteps = 8192;
  const hn::CappedTag<float, 16> d;
  // Volatile, so that the compiler cannot know the values.
  volatile float runtime_factor = 1e-6F;
  volatile float runtime_value = 0.5F;
  const auto factor = hn::Set(d, runtime_factor);
  const auto value = hn::Set(d, runtime_value);
  hn::Vec<decltype(d)> sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = hn::Set(d, static_cast<float>(i));
  for (int step = 0; step < kSteps; ++step) {
    _Pragma("GCC unroll 32") for (int i = 0; i < kChains; ++i) {
      sums[i] = hn::MulAdd(factor, value, sums[i]);
    }
  }
  auto total = sums[0];
  for (int i = 1; i < kChains; ++i) total = hn::Add(total, sums[i]);
  volatile float used = hn::GetLane(total);
  (void)used;
  return std::int64_t{kSteps} * kChains * static_cast<std::int64_t>(hn::Lanes(d));
}

}  // namespace HWY_NAMESPACE
}  // namespace hellocnn
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace hellocnn {

HWY_EXPORT(MultiplyAdds);
std::int64_t RunMultiplyAdds() { return HWY_DYNAMIC_DISPATCH(MultiplyAdds)(); }

}  // namespace hellocnn
#endif
