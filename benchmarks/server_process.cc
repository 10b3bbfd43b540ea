#include "benchmarks/server_process.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hellocnn {
namespace {

// To the first newline, which is not part of it, or to the end.
std::string ReadLine(int file) {
  std::string line;
  char byte = 0;
  while (read(file, &byte, 1) == 1 && byte != '\n') line += byte;
  return line;
}

}  // namespace

std::vector<int> UsableCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof(set), &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

absl::Status PinTo(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("cannot run on CPU ", cpu, ": ", strerror(errno)));
}

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(
    const std::string& program, const std::vector<std::string>& arguments, int cpu) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::UnavailableError(absl::StrCat("no pipe: ", strerror(errno)));
  }
  std::vector<char*> words = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) {
    words.push_back(const_cast<char*>(argument.c_str()));
  }
  words.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {  // only what may be called in a copy of a process with threads
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) != 0) _exit(126);
    dup2(ends[1], STDOUT_FILENO);
    execv(program.c_str(), words.data());
    _exit(127);
  }
  const int fork_error = errno;
  close(ends[1]);
  std::string line;
  if (pid > 0) line = ReadLine(ends[0]);
  close(ends[0]);
  if (pid < 0) return absl::UnavailableError(absl::StrCat("no process: ", strerror(fork_error)));
  std::unique_ptr<ServerProcess> server(new ServerProcess(pid));
  const std::string key = " ready grpc=";
  const std::size_t at = line.find(key);
  if (at == std::string::npos) {
    return absl::UnavailableError(
        absl::StrCat(program, " on CPU ", cpu, " said '", line,
                     "' or nothing; wanted is that it is ready. It is there and can be run?"));
  }
  const std::size_t from = at + key.size();
  server->address_ = line.substr(from, line.find(' ', from) - from);
  return server;
}

ServerProcess::~ServerProcess() { Stop().IgnoreError(); }

double ServerProcess::CpuSeconds() const {
  clockid_t clock{};
  timespec used{};
  if (clock_getcpuclockid(pid_, &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

std::int64_t ServerProcess::ResidentBytes() const {
  std::ifstream file(absl::StrCat("/proc/", pid_, "/statm"));
  std::int64_t size = 0;
  std::int64_t resident = 0;
  return file >> size >> resident ? resident * sysconf(_SC_PAGESIZE) : 0;
}

absl::Status ServerProcess::Stop() {
  const pid_t pid = std::exchange(pid_, 0);
  if (pid == 0) return absl::OkStatus();
  kill(pid, SIGTERM);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("the server at ", address_, " ended with ",
                                          WIFEXITED(status)
                                              ? absl::StrCat("status ", WEXITSTATUS(status))
                                              : absl::StrCat("signal ", WTERMSIG(status))));
}

}  // namespace hellocnn
