// Runs a server in a process of its own while it is measured.
#ifndef HELLOCNN_LOADGEN_RUN_SERVER_PROCESS_H_
#define HELLOCNN_LOADGEN_RUN_SERVER_PROCESS_H_

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace hellocnn::load {

// Thread-compatible.
class ServerProcess {
 public:
  struct Options {
    // The only CPU that the server runs on; without it, those of the calling thread.
    std::optional<int> cpu;
    absl::Duration patience = absl::Seconds(60);
    // If given, Start ends soon after it became true. Outlives Start.
    const std::atomic<bool>* stop = nullptr;
  };

  // Runs `program`, a path, with `arguments`. Blocks until it prints "NAME ready grpc=HOST:PORT" on
  // stdout. Only the arguments configure it: environment variables that begin with HELLOCNN_ are
  // not passed on. It inherits stderr; a terminal's Ctrl-C does not reach it. It ends at the latest
  // with the thread that started it. UNAVAILABLE: it did not become ready within the patience. The
  // message names the command and what it did instead. CANCELLED: `stop` became true. The process
  // has ended by then.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(
      const std::string& program, const std::vector<std::string>& arguments,
      const Options& options);
  // Calls Stop.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& address() const { return address_; }  // host:port
  // Returns the CPU time so far of all its threads; 0 once it has ended.
  double CpuSeconds() const;
  std::int64_t ResidentBytes() const;

  // Sends signal `number`. Does nothing once the process has ended.
  void Signal(int number) const;
  // Sends SIGTERM, and SIGKILL after 30 s. Blocks until the process has ended. INTERNAL: the exit
  // status is not 0. Returns OK without waiting if the process was stopped or killed before.
  absl::Status Stop();
  // Sends SIGKILL, and blocks until the process has ended.
  void Kill();

 private:
  explicit ServerProcess(pid_t pid) : pid_(pid) {}

  // Returns the status from waitpid, or nullopt if the process still runs at `until`.
  std::optional<int> WaitUntil(Instant until);

  pid_t pid_;  // 0 once it has ended
  std::string address_;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_SERVER_PROCESS_H_
