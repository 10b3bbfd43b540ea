// How fast the core multiplies and adds when nothing else is in the way.
#ifndef HELLOCNN_BENCHMARKS_ROOFLINE_H_
#define HELLOCNN_BENCHMARKS_ROOFLINE_H_

#include <cstdint>

namespace hellocnn {

// Runs independent fp32 multiply-adds on registers, with the best instruction set that the CPU has,
// for some tens of microseconds. Returns how many: the lanes count, a fused one counts once.
// Thread-safe.
std::int64_t RunMultiplyAdds();

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_ROOFLINE_H_
