// A server in a process of its own, for as long as it is measured.
#ifndef HELLOCNN_LOADGEN_RUN_SERVER_PROCESS_H_
#define HELLOCNN_LOADGEN_RUN_SERVER_PROCESS_H_

#include <sys/types.h>

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
    std::optional<int> cpu;  // the only one that the server runs on; without, as the calling thread
    absl::Duration patience = absl::Seconds(60);
  };

  // Runs `program`, a path, with `arguments`, and blocks until it says on stdout "NAME ready
  // grpc=HOST:PORT". The arguments alone decide: variables of our environment that begin with
  // HELLOCNN_ are kept from it. Its stderr goes where ours does; a terminal's Ctrl-C does not reach
  // it. UNAVAILABLE names the command and what it did instead of becoming ready within the
  // patience, or until a signal handler has run on this thread; it has ended then. It ends with the
  // thread that started it at the latest.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(
      const std::string& program, const std::vector<std::string>& arguments,
      const Options& options);
  // Stop.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& address() const { return address_; }  // host:port
  // So far, of all its threads; 0 once it has ended.
  double CpuSeconds() const;
  std::int64_t ResidentBytes() const;

  // Does nothing once it has ended.
  void Signal(int number) const;
  // SIGTERM, and after 30 s SIGKILL; blocks until it has ended. INTERNAL: not with exit status 0.
  // OK, without waiting, if it was stopped or killed before.
  absl::Status Stop();
  // SIGKILL; blocks until it has ended.
  void Kill();

 private:
  explicit ServerProcess(pid_t pid) : pid_(pid) {}

  // What waitpid says of its end, or none if it still runs at `until`.
  std::optional<int> WaitUntil(Instant until);

  pid_t pid_;  // 0 once it has ended
  std::string address_;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_SERVER_PROCESS_H_
