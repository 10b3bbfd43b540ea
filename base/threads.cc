#include "base/threads.h"

#include <cerrno>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"

namespace hellocnn {

absl::Status CheckThreads(int count) {
  Notification end;
  std::vector<std::thread> threads;
  std::error_code error;
  threads.reserve(static_cast<std::size_t>(count));
  while (std::ssize(threads) < count && !error) {
    try {
      threads.emplace_back([&end] { end.Wait(); });
    } catch (const std::system_error& failed) {
      error = failed.code();
    }
  }
  end.Notify();
  for (std::thread& thread : threads) thread.join();
  if (!error) return absl::OkStatus();
  const char* const advice =
      error.value() == EPERM
          ? "the container's seccomp profile forbids it; a newer container runtime permits clone3"
          : "raise the limit of processes (ulimit -u), of the container (pids limit) or of address "
            "space (ulimit -v)";
  return absl::ResourceExhaustedError(absl::StrCat("cannot start ", count, " threads, only ",
                                                   threads.size(), ": ", error.message(), "; ",
                                                   advice));
}

}  // namespace hellocnn
