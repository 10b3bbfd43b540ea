// The CPU time and memory of this process. Linux.
#ifndef HELLOCNN_LOADGEN_RUN_OWN_CPU_H_
#define HELLOCNN_LOADGEN_RUN_OWN_CPU_H_

#include <cstdint>

namespace hellocnn::load {

// Returns the user and system time of all threads since the start of the process.
double ProcessCpuSeconds();
// Returns 0 if the value cannot be determined.
std::int64_t ResidentMemoryBytes();

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_OWN_CPU_H_
