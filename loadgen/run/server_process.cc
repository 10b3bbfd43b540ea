#include "loadgen/run/server_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/clock.h"

namespace hellocnn::load {
namespace {

constexpr absl::Duration kExitNap = absl::Milliseconds(20);
constexpr absl::Duration kEndPatience = absl::Seconds(1);
constexpr absl::Duration kStopPatience = absl::Seconds(30);
constexpr char kReady[] = " ready grpc=";
// Exit statuses of a child process that could not run the program.
constexpr int kCannotPin = 126;
constexpr int kCannotRun = 127;

// Reads until the end of the line, the end of the output, `until`, or `stop`, which may be null.
// Returns the line without its end.
std::string ReadLine(int file, Instant until, const std::atomic<bool>* stop) {
  std::string line;
  for (;;) {
    pollfd readable{file, POLLIN, 0};
    const absl::Duration left = until - Clock::Monotonic()->Now();
    if (left <= absl::ZeroDuration() || (stop != nullptr && stop->load())) return line;
    const absl::Duration nap = std::min(left, kExitNap);
    const int ready = poll(&readable, 1, static_cast<int>(absl::ToInt64Milliseconds(nap)) + 1);
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    char byte = 0;
    if (ready < 0 || read(file, &byte, 1) != 1 || byte == '\n') return line;
    line += byte;
  }
}

std::vector<std::string> EnvironmentWithoutSettings() {
  std::vector<std::string> kept;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!absl::StartsWith(*variable, "HELLOCNN_")) kept.emplace_back(*variable);
  }
  return kept;
}

// Returns pointers as exec expects them. They point into `words`.
std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::string EndInWords(int status) {
  if (WIFSIGNALED(status)) return absl::StrCat("was ended by signal ", WTERMSIG(status));
  if (WEXITSTATUS(status) == kCannotPin) return "may not run on that CPU";
  if (WEXITSTATUS(status) == kCannotRun) return "cannot be run: is it there, and a program?";
  return absl::StrCat("ended with exit status ", WEXITSTATUS(status));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(
    const std::string& program, const std::vector<std::string>& arguments, const Options& options) {
  std::vector<std::string> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const std::string command = absl::StrJoin(words, " ");
  const std::vector<char*> argv = Pointers(words);
  std::vector<std::string> environment = EnvironmentWithoutSettings();
  const std::vector<char*> envp = Pointers(environment);
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (options.cpu.has_value()) CPU_SET(static_cast<std::size_t>(*options.cpu), &cpus);
  std::array<int, 2> output{};
  if (pipe2(output.data(), O_CLOEXEC) != 0) {
    return absl::UnavailableError(absl::StrCat("no pipe to ", command, ": ", strerror(errno)));
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    // Only calls that are safe between fork and exec in a program with threads.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(kCannotRun);
    setpgid(0, 0);
    if (options.cpu.has_value() && sched_setaffinity(0, sizeof(cpus), &cpus) != 0) {
      _exit(kCannotPin);
    }
    dup2(output[1], STDOUT_FILENO);
    execve(program.c_str(), argv.data(), envp.data());
    _exit(kCannotRun);
  }
  const int fork_error = errno;
  close(output[1]);
  if (pid < 0) {
    close(output[0]);
    return absl::UnavailableError(
        absl::StrCat("no process for ", command, ": ", strerror(fork_error)));
  }
  std::unique_ptr<ServerProcess> server(new ServerProcess(pid));
  const std::string line =
      ReadLine(output[0], Clock::Monotonic()->Now() + options.patience, options.stop);
  close(output[0]);  // the server writes nothing after that line
  const std::size_t ready = line.find(kReady);
  if (ready == std::string::npos) {
    if (options.stop != nullptr && options.stop->load()) {
      return absl::CancelledError("interrupted while starting " + command);
    }
    // A process that has closed its output without a line is about to end.
    const std::optional<int> end =
        line.empty() ? server->WaitUntil(Clock::Monotonic()->Now() + kEndPatience) : std::nullopt;
    return absl::UnavailableError(absl::StrCat(
        command, " ",
        end.has_value() ? EndInWords(*end)
        : line.empty()
            ? absl::StrCat("was not ready within ", absl::FormatDuration(options.patience))
            : absl::StrCat("said '", line, "'; wanted is that it is ready")));
  }
  const std::size_t start = ready + sizeof(kReady) - 1;
  server->address_ = line.substr(start, line.find(' ', start) - start);
  return server;
}

ServerProcess::~ServerProcess() { Stop().IgnoreError(); }

double ServerProcess::CpuSeconds() const {
  clockid_t clock{};
  timespec used{};
  if (pid_ == 0 || clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &used) != 0) {
    return 0;
  }
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

std::int64_t ServerProcess::ResidentBytes() const {
  std::ifstream file(absl::StrCat("/proc/", pid_, "/statm"));
  std::int64_t size = 0;
  std::int64_t resident = 0;
  return file >> size >> resident ? resident * sysconf(_SC_PAGESIZE) : 0;
}

void ServerProcess::Signal(int number) const {
  if (pid_ != 0) kill(pid_, number);
}

absl::Status ServerProcess::Stop() {
  if (pid_ == 0) return absl::OkStatus();
  Signal(SIGTERM);
  std::optional<int> end = WaitUntil(Clock::Monotonic()->Now() + kStopPatience);
  if (!end.has_value()) {
    Signal(SIGKILL);
    end = WaitUntil(Instant::InfiniteFuture());
  }
  if (*end == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("the server at ", address_, " ", EndInWords(*end)));
}

void ServerProcess::Kill() {
  if (pid_ == 0) return;
  Signal(SIGKILL);
  WaitUntil(Instant::InfiniteFuture());
}

std::optional<int> ServerProcess::WaitUntil(Instant until) {
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (Clock::Monotonic()->Now() > until) return std::nullopt;
    absl::SleepFor(absl::Milliseconds(5));
  }
  pid_ = 0;
  return status;
}

}  // namespace hellocnn::load
