// hellocnn-server: options, a running Server, and the signals that end it.
// Exit status: 0 after an orderly end, 1 if it could not start or was told twice to stop, 2 for bad
// options.
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/notify_socket.h"
#include "base/out_of_memory.h"
#include "base/patient_write.h"
#include "base/shown.h"
#include "base/standard_descriptors.h"
#include "base/threads.h"
#include "server/config/options.h"
#include "server/observability/logging/logging.h"
#include "server/server.h"
#include "server/service_manager.h"
#include "server/stop_signals.h"

namespace {

using hellocnn::Clock;
using hellocnn::server::Logging;
using hellocnn::server::Options;
using hellocnn::server::ParsedOptions;
using hellocnn::server::Server;
using hellocnn::server::ServiceManager;
using hellocnn::server::StopSignals;

// What the thread that waits for signals and the main thread tell each other.
struct Stop {
  hellocnn::Notification told;       // to stop
  hellocnn::Notification drain;      // without a delay
  std::atomic<bool> waiting{false};  // the delay is running
  hellocnn::Notification ended;      // SIGUSR1 then wakes the thread; from others it does nothing

  hellocnn::Mutex mutex;
  Server* server ABSL_GUARDED_BY(mutex) = nullptr;  // while it serves
  bool look ABSL_GUARDED_BY(mutex) = false;         // for models, as soon as it serves
};

void SetServer(Stop* stop, Server* server) {
  hellocnn::MutexLock lock(&stop->mutex);
  stop->server = server;
  if (server != nullptr && stop->look) server->LookForModels();
}

void WaitForSignals(const sigset_t* signals, Stop* stop) {
  StopSignals policy;
  int number = 0;
  while (sigwait(signals, &number) == 0 && !stop->ended.HasBeenNotified()) {
    if (number == SIGUSR1) continue;
    switch (policy.OnSignal(number, Clock::Monotonic()->Now(), stop->waiting)) {
      case StopSignals::Action::kNone:
        break;
      case StopSignals::Action::kDrain:
        stop->drain.Notify();
        stop->told.Notify();
        break;
      case StopSignals::Action::kLeave:
        stop->told.Notify();
        break;
      case StopSignals::Action::kLook: {
        hellocnn::MutexLock lock(&stop->mutex);
        if (stop->server != nullptr) stop->server->LookForModels();
        stop->look = true;
        break;
      }
      case StopSignals::Action::kExit:
        std::_Exit(1);
    }
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

// Keeps the private key and what else is secret out of core dumps, and from debuggers of others
// than root.
void KeepSecrets(const Options& options) {
  if (options.tls_key != "off" || options.access_file != "off") prctl(PR_SET_DUMPABLE, 0);
}

// Says so on standard error, as far as somebody reads it.
int Fail(const absl::Status& status) {
  std::string line =
      absl::StrCat("hellocnn-server: ", hellocnn::Printable(std::string(status.message())));
  line.resize(std::min(line.size(), hellocnn::kLongestLine - 1));
  hellocnn::WriteLine(STDERR_FILENO, line + "\n", absl::Seconds(1));
  return 1;
}

int RejectOptions(const absl::Status& status) {
  std::fprintf(stderr, "hellocnn-server: %s\nTry --help.\n",
               hellocnn::Printable(std::string(status.message())).c_str());
  return 2;
}

int Print(const ParsedOptions& parsed) {
  for (const std::string& warning : parsed.warnings) {
    std::fprintf(stderr, "hellocnn-server: warning: %s\n", warning.c_str());
  }
  if (std::fputs(parsed.text.c_str(), stdout) == EOF || std::fflush(stdout) == EOF) {
    return Fail(absl::ErrnoToStatus(errno, "cannot write to standard output"));
  }
  return 0;
}

absl::Status Serve(const Options& options, Stop* stop, ServiceManager* manager) try {
  absl::StatusOr<std::unique_ptr<Server>> server = Server::Start(options, &stop->told, manager);
  if (!server.ok()) {
    // To be told to stop before it was ready is an orderly end, too.
    return stop->told.HasBeenNotified() ? absl::OkStatus() : server.status();
  }
  const std::string ready = absl::StrCat(
      "hellocnn-server ready grpc=", (*server)->grpc_address(),
      " metrics=", (*server)->metrics_address(), options.http_listen == "off" ? "" : " http=",
      options.http_listen == "off" ? "" : (*server)->http_address(),
      options.probe_listen == "off" ? "" : " probe=",
      options.probe_listen == "off" ? "" : (*server)->probe_address(), "\n");
  // If nobody reads what is printed, nobody waits for the line either.
  if (hellocnn::WriteLine(STDOUT_FILENO, ready, absl::ZeroDuration()) != hellocnn::Written::kAll) {
    spdlog::warn("the ready line could not be printed, because nobody reads standard output");
  }
  SetServer(stop, server->get());
  stop->told.Wait();
  stop->waiting = true;
  (*server)->Leave();
  stop->drain.WaitUntil(Clock::Monotonic()->Now() + options.drain_delay);
  stop->waiting = false;
  SetServer(stop, nullptr);
  (*server)->Drain();
  return absl::OkStatus();
} catch (const std::exception& error) {  // while the thread for signals runs, which must be joined
  return absl::InternalError(error.what());
}

int Run(int argc, char** argv) {
#ifdef NDEBUG
  // Abseil looks for deadlocks at each lock of each of its mutexes, gRPC's among them, unless it
  // was compiled with NDEBUG, which Debian's was not.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
  absl::StatusOr<ParsedOptions> parsed = hellocnn::server::ParseOptions(argc, argv);
  if (parsed.ok() && parsed->action == ParsedOptions::Action::kPrintAndExit) return Print(*parsed);
  if (!parsed.ok()) return RejectOptions(parsed.status());

  const hellocnn::NotifyEnvironment notify = hellocnn::TakeNotifyEnvironment();
  const Options& options = parsed->options;
  // One for signals, the log's, the workers, the admin port's, one for models, that of the port for
  // probes, one for certificates, one for the access file, and gRPC's.
  const int threads = 2 + options.threads + 2 + (options.probe_listen == "off" ? 0 : 1) +
                      (options.tls_cert == "off" ? 0 : 1) + (options.access_file == "off" ? 0 : 1) +
                      hellocnn::kGrpcThreads;
  if (absl::Status status = hellocnn::CheckThreads(threads); !status.ok()) return Fail(status);
  AllowAllFileDescriptors();
  KeepSecrets(parsed->options);
  // Blocked before the first thread starts, so that all inherit it and only the one that waits gets
  // them.
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  auto log = Logging::Start(parsed->options.log_level, parsed->options.log_format);
  if (!log.ok()) return RejectOptions(log.status());
  for (const std::string& warning : parsed->warnings) spdlog::warn("{}", warning);
  ServiceManager manager(notify);
  Stop stop;
  std::thread signal_thread(WaitForSignals, &signals, &stop);
  const absl::Status served = Serve(parsed->options, &stop, &manager);
  stop.ended.Notify();
  pthread_kill(signal_thread.native_handle(), SIGUSR1);
  signal_thread.join();
  log->reset();  // before the reason for a failure, which is the last line
  return served.ok() ? 0 : Fail(served);
}

}  // namespace

int main(int argc, char** argv) {
  hellocnn::OpenStandardDescriptors();
  hellocnn::ExitWhenOutOfMemory(
      "hellocnn-server",
      "raise the limit of memory, or lower --buffer-memory, --max-connections or --queue-capacity");
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {  // no thread, or no memory
    std::fprintf(stderr, "hellocnn-server: %s\n", error.what());
    std::_Exit(1);  // what other threads still use must not be destroyed
  }
}
