// What this process uses of the machine, and may use. Linux.
#ifndef HELLOCNN_LOADGEN_RUN_OWN_CPU_H_
#define HELLOCNN_LOADGEN_RUN_OWN_CPU_H_

#include <cstdint>

namespace hellocnn::load {

// User and system time since the start of the process, all threads.
double ProcessCpuSeconds();
// 0 if it cannot be told.
std::int64_t ResidentMemoryBytes();

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_OWN_CPU_H_
