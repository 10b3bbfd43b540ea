// The instruction sets that are left out, of all that Highway knows: the register tiles are arrays
// of vectors, which vectors of a size unknown when compiling can't be in. Include it before any
// header of Highway.
#ifndef HELLOCNN_SIMD_TARGETS_H_
#define HELLOCNN_SIMD_TARGETS_H_

#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#endif  // HELLOCNN_SIMD_TARGETS_H_
