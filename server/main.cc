// hellocnn-server: options, a running Server, and the signals that end it.
// Exit status: 0 after an orderly end, 1 if it could not start or was told twice to stop, 2 for bad
// options.
#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/mutex.h"
#include "server/config/options.h"
#include "server/observability/logging/logging.h"
#include "server/server.h"

namespace {

using hellocnn::server::Options;
using hellocnn::server::ParsedOptions;
using hellocnn::server::Server;

// SIGTERM, SIGINT or SIGHUP notifies `stop`; one more ends the process at once. SIGUSR1 wakes the
// thread to look at `ended`; from anyone but main it does nothing.
void WaitForSignals(const sigset_t* signals, hellocnn::Notification* stop,
                    const hellocnn::Notification* ended) {
  int number = 0;
  while (sigwait(signals, &number) == 0 && !ended->HasBeenNotified()) {
    if (number == SIGUSR1) continue;
    if (stop->HasBeenNotified()) std::_Exit(1);
    stop->Notify();
  }
}

// Each connection takes a file descriptor, and gRPC 1.51 stops listening, for good, when it has had
// none left. What is allowed by default is little, for programs that cannot bear more; this can.
void AllowAllFileDescriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int Serve(const Options& options, const hellocnn::Notification& stop) {
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(options, &stop);
  if (!server.ok()) {
    if (stop.HasBeenNotified()) return 0;  // told to stop before it was ready: an orderly end too
    std::fprintf(stderr, "hellocnn-server: %s\n", std::string(server.status().message()).c_str());
    return 1;
  }
  std::printf("hellocnn-server ready grpc=%s metrics=%s\n", (*server)->grpc_address().c_str(),
              (*server)->metrics_address().c_str());
  std::fflush(stdout);
  stop.Wait();
  (*server)->Drain();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
#ifdef NDEBUG
  // Abseil looks for deadlocks at each lock of each of its mutexes, gRPC's among them, unless it
  // was compiled with NDEBUG, which Debian's was not.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
  absl::StatusOr<ParsedOptions> parsed = hellocnn::server::ParseOptions(argc, argv);
  if (parsed.ok() && parsed->action == ParsedOptions::Action::kPrintAndExit) {
    for (const std::string& warning : parsed->warnings) {
      std::fprintf(stderr, "hellocnn-server: warning: %s\n", warning.c_str());
    }
    std::fputs(parsed->text.c_str(), stdout);
    return 0;
  }
  absl::Status status =
      parsed.ok() ? hellocnn::server::SetUpLogging(parsed->options.log_level) : parsed.status();
  if (!status.ok()) {
    std::fprintf(stderr, "hellocnn-server: %s\nTry --help.\n",
                 std::string(status.message()).c_str());
    return 2;
  }
  for (const std::string& warning : parsed->warnings) spdlog::warn("{}", warning);

  AllowAllFileDescriptors();
  // Blocked before the first thread starts, so that all inherit it and only the one that waits gets
  // them.
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  hellocnn::Notification stop;
  hellocnn::Notification ended;
  std::thread signal_thread(WaitForSignals, &signals, &stop, &ended);
  const int exit_status = Serve(parsed->options, stop);
  ended.Notify();
  pthread_kill(signal_thread.native_handle(), SIGUSR1);
  signal_thread.join();
  return exit_status;
}
