#include <iostream>

#include "absl/synchronization/mutex.h"
#include "cli/app.h"

int main(int argc, char** argv) {
  // Written piece by piece, and read by people and by pipes: either way whole lines at the end are
  // what counts.
  std::ios::sync_with_stdio(false);
  // Debian's Abseil looks for deadlocks at every lock of gRPC's unless told not to, which costs the
  // load generator 7% of its instructions.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return hellocnn::cli::Main(argc, argv);
}
