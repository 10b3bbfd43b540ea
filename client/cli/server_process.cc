#include "client/cli/server_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

namespace hellocnn::cli {
namespace {

constexpr absl::Duration kStopPatience = absl::Seconds(10);
constexpr char kReady[] = "hellocnn-server ready grpc=";

// Up to the end of the line, or of the output, or of the patience.
std::string ReadLine(int file, absl::Time until) {
  std::string line;
  while (line.empty() || line.back() != '\n') {
    pollfd readable{file, POLLIN, 0};
    const auto left = absl::ToInt64Milliseconds(until - absl::Now());
    char c = 0;
    if (left <= 0 || poll(&readable, 1, static_cast<int>(left)) <= 0 || read(file, &c, 1) != 1) {
      break;
    }
    line += c;
  }
  return line;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(
    const std::string& binary, const std::vector<std::string>& flags, absl::Duration patience) {
  std::vector<std::string> words = {binary, "--listen=127.0.0.1:0", "--metrics-listen=off",
                                    "--log-level=error"};
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::array<int, 2> output{};
  if (pipe2(output.data(), O_CLOEXEC) != 0) {
    return absl::UnavailableError(absl::StrCat("no pipe to ", binary, ": ", strerror(errno)));
  }
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    // Only what is safe between fork and exec in a program with threads.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    setpgid(0, 0);  // the terminal's Ctrl-C is for the measurement, not for the server
    dup2(output[1], STDOUT_FILENO);
    execv(binary.c_str(), arguments.data());
    _exit(127);
  }
  close(output[1]);
  if (pid < 0) {
    close(output[0]);
    return absl::UnavailableError(absl::StrCat(binary, " cannot be started: ", strerror(errno)));
  }
  std::unique_ptr<ServerProcess> server(new ServerProcess(pid));
  const std::string line = ReadLine(output[0], absl::Now() + patience);
  close(output[0]);  // it writes nothing after that line
  if (line.rfind(kReady, 0) != 0) {
    return absl::UnavailableError(absl::StrCat(absl::StrJoin(words, " "), " was not ready within ",
                                               absl::FormatDuration(patience), "; it said '",
                                               line.substr(0, line.find('\n')), "'"));
  }
  const std::size_t start = sizeof(kReady) - 1;
  server->address_ = line.substr(start, line.find_first_of(" \n", start) - start);
  return server;
}

ServerProcess::~ServerProcess() {
  kill(pid_, SIGTERM);
  const absl::Time until = absl::Now() + kStopPatience;
  while (waitpid(pid_, nullptr, WNOHANG) == 0) {
    if (absl::Now() > until) kill(pid_, SIGKILL);
    absl::SleepFor(absl::Milliseconds(10));
  }
}

}  // namespace hellocnn::cli
