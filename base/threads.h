// Whether this process may start the threads that it needs.
#ifndef HELLOCNN_BASE_THREADS_H_
#define HELLOCNN_BASE_THREADS_H_

#include "absl/status/status.h"

namespace hellocnn {

// gRPC starts 7 to 9 threads, depending on the number of CPUs, and more under load. If one of them
// cannot start, gRPC says nothing, and calls and its shutdown hang for ever. So a program checks
// for these threads before it uses gRPC.
inline constexpr int kGrpcThreads = 12;

// Starts `count` threads at the same time, and ends them again. Blocks for some 10 us a thread.
// Thread-safe. RESOURCE_EXHAUSTED: fewer could start; the message says how many, why, and which
// limits to raise.
absl::Status CheckThreads(int count);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_THREADS_H_
