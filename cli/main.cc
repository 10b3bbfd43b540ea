#include <cstdlib>
#include <exception>
#include <iostream>
#include <system_error>

#include "absl/synchronization/mutex.h"
#include "base/out_of_memory.h"
#include "base/shown.h"
#include "base/standard_descriptors.h"
#include "cli/app.h"

int main(int argc, char** argv) {
  hellocnn::OpenStandardDescriptors();
  hellocnn::ExitWhenOutOfMemory("hellocnn", "raise the limit of memory, or ask for less at a time");
  // Output is written in pieces and read by people or pipes, so only whole lines at the end matter.
  std::ios::sync_with_stdio(false);
  // Debian's Abseil checks for deadlocks at every lock of gRPC unless told not to. That costs the
  // load generator 7% of its instructions.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  try {
    return hellocnn::cli::Main(argc, argv);
  } catch (const std::system_error& error) {
    std::cerr << "hellocnn: cannot start a thread: " << error.what()
              << "; raise the limit of processes or of address space\n";
  } catch (const std::exception& error) {
    std::cerr << "hellocnn: " << hellocnn::Printable(error.what()) << "\n";
  }
  std::_Exit(hellocnn::cli::kExitFailed);  // what other threads still use must not be destroyed
}
