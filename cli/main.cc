#include <iostream>

#include "absl/synchronization/mutex.h"
#include "cli/app.h"

int main(int argc, char** argv) {
  // Output is written in pieces and read by people or pipes, so only whole lines at the end matter.
  std::ios::sync_with_stdio(false);
  // Debian's Abseil checks for deadlocks at every lock of gRPC unless told not to. That costs the
  // load generator 7% of its instructions.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return hellocnn::cli::Main(argc, argv);
}
