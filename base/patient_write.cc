#include "base/patient_write.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdint>

#include "base/clock.h"

namespace hellocnn {

Written WriteLine(int descriptor, std::string_view line, absl::Duration patience) {
  const Instant end = Clock::Monotonic()->Now() + patience;
  while (!line.empty()) {
    pollfd wanted = {.fd = descriptor, .events = POLLOUT, .revents = 0};
    const absl::Duration left = std::max(end - Clock::Monotonic()->Now(), absl::ZeroDuration());
    const std::int64_t milliseconds =
        absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1)));
    const int ready =
        poll(&wanted, 1, static_cast<int>(std::min<std::int64_t>(milliseconds, INT_MAX)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return Written::kNotYet;
    if (ready < 0) return Written::kNever;
    const ssize_t written = write(descriptor, line.data(), line.size());
    if (written < 0 && errno != EINTR && errno != EAGAIN) return Written::kNever;
    if (written < 0 && left == absl::ZeroDuration()) return Written::kNotYet;
    if (written > 0) line.remove_prefix(static_cast<std::size_t>(written));
  }
  return Written::kAll;
}

}  // namespace hellocnn
