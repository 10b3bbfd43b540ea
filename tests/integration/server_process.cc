#include "tests/integration/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"

extern char** environ;

namespace hellocnn {
namespace {

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "cannot start %s: %s\n", HELLOCNN_TEST_SERVER, what.c_str());
  std::abort();
}

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// The environment without the user's own settings of the server.
std::vector<std::string> CleanEnvironment() {
  std::vector<std::string> kept;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (!absl::StartsWith(*variable, "HELLOCNN_")) kept.emplace_back(*variable);
  }
  return kept;
}

}  // namespace

ServerProcess::ServerProcess(const std::vector<std::string>& options, const std::string& listen) {
  std::array<int, 2> out{};
  if (pipe2(out.data(), O_CLOEXEC) != 0) Fail("no pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  std::vector<std::string> words = {HELLOCNN_TEST_SERVER,
                                    "--listen",
                                    listen,
                                    "--metrics-listen",
                                    "off",
                                    "--model",
                                    HELLOCNN_SOURCE_DIR "/models/mnist/1",
                                    "--log-level",
                                    "warn"};
  words.insert(words.end(), options.begin(), options.end());
  std::vector<std::string> environment = CleanEnvironment();
  const int status = posix_spawn(&pid_, HELLOCNN_TEST_SERVER, &actions, nullptr,
                                 Pointers(words).data(), Pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  if (status != 0) Fail("no process");

  std::FILE* ready = fdopen(out[0], "r");
  std::array<char, 256> line{};
  if (std::fgets(line.data(), line.size(), ready) == nullptr) Fail("it ended before it was ready");
  std::fclose(ready);
  // "hellocnn-server ready grpc=127.0.0.1:41234 metrics=off"
  const std::vector<std::string> parts = absl::StrSplit(line.data(), absl::ByAnyChar(" ="));
  if (parts.size() < 4 || parts[2] != "grpc") Fail(line.data());
  address_ = parts[3];
}

ServerProcess::~ServerProcess() {
  if (pid_ > 0) End(SIGKILL);
}

void ServerProcess::Signal(int number) const {
  if (pid_ <= 0) std::abort();  // kill(-1) would reach everybody
  kill(pid_, number);
}

void ServerProcess::End(int number) {
  Signal(number);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
}

}  // namespace hellocnn
