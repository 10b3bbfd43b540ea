// The instruction sets of Highway that are disabled. Their vectors have a size that is unknown at
// compile time, so they cannot be elements of arrays, which the register tiles are. Include this
// header before any header of Highway.
#ifndef HELLOCNN_SIMD_TARGETS_H_
#define HELLOCNN_SIMD_TARGETS_H_

#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#endif  // HELLOCNN_SIMD_TARGETS_H_
