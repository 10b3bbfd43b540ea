// Controls which CPUs a thread runs on.
#ifndef HELLOCNN_BENCHMARKS_CPUS_H_
#define HELLOCNN_BENCHMARKS_CPUS_H_

#include <vector>

#include "absl/status/status.h"

namespace hellocnn {

// Returns the CPUs that this thread may run on.
std::vector<int> UsableCpus();
// Pins this thread, and the threads and processes that it starts from now on, to `cpu`.
// INVALID_ARGUMENT: the thread may not run there.
absl::Status PinTo(int cpu);

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_CPUS_H_
