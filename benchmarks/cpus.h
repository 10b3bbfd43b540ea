// Which CPUs a thread runs on.
#ifndef HELLOCNN_BENCHMARKS_CPUS_H_
#define HELLOCNN_BENCHMARKS_CPUS_H_

#include <vector>

#include "absl/status/status.h"

namespace hellocnn {

// The CPUs that this thread may run on.
std::vector<int> UsableCpus();
// From now on this thread, and what it starts, runs on `cpu` alone. INVALID_ARGUMENT: it may not.
absl::Status PinTo(int cpu);

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_CPUS_H_
