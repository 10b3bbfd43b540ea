// A server in a process of its own, on a CPU of its own.
#ifndef HELLOCNN_BENCHMARKS_SERVER_PROCESS_H_
#define HELLOCNN_BENCHMARKS_SERVER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hellocnn {

// The CPUs that this thread may run on.
std::vector<int> UsableCpus();
// From now on this thread, and what it starts, runs on `cpu` alone. INVALID_ARGUMENT: it may not.
absl::Status PinTo(int cpu);

class ServerProcess {
 public:
  // Runs `program`, a path, on `cpu`; the thread that calls it stays where it is. Returns when the
  // server says on stdout that it is "ready", with grpc=HOST:PORT; its stderr goes where ours does.
  // UNAVAILABLE: it cannot be run, or has ended before that. The server ends at the latest with the
  // thread that started it.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(
      const std::string& program, const std::vector<std::string>& arguments, int cpu);
  // Stop.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& address() const { return address_; }
  // So far, of all its threads.
  double CpuSeconds() const;
  std::int64_t ResidentBytes() const;

  // SIGTERM, and waits. INTERNAL: it did not exit with 0. Idempotent.
  absl::Status Stop();

 private:
  explicit ServerProcess(pid_t pid) : pid_(pid) {}

  pid_t pid_;  // 0 once it has ended
  std::string address_;
};

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_SERVER_PROCESS_H_
