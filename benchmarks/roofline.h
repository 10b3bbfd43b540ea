// Measures how fast the core multiplies and adds when nothing else slows it down.
#ifndef HELLOCNN_BENCHMARKS_ROOFLINE_H_
#define HELLOCNN_BENCHMARKS_ROOFLINE_H_

#include <cstdint>

namespace hellocnn {

// Runs independent fp32 multiply-adds on registers for some tens of microseconds, with the best
// instruction set of the CPU. Returns their number: each lane counts, and a fused multiply-add
// counts once. Thread-safe.
std::int64_t RunMultiplyAdds();

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_ROOFLINE_H_
