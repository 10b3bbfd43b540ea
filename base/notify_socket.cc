#include "base/notify_socket.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace hellocnn {
namespace {

// What has room for the longest STATUS is far below the kernel's default for a datagram.
constexpr timeval kMostTime{.tv_sec = 1, .tv_usec = 0};

// Removes the variable and returns what it was; empty if it was not set.
std::string TakeVariable(const char* name) {
  const char* const value = std::getenv(name);
  std::string taken = value == nullptr ? "" : value;
  unsetenv(name);
  return taken;
}

// Needs an address that Open has accepted.
sockaddr_un NameOf(const std::string& address) {
  sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
  std::memcpy(name.sun_path, address.data(), address.size());
  if (address[0] == '@') name.sun_path[0] = '\0';
  return name;
}

absl::Status NotifyError(const std::string& address, int error) {
  return absl::UnavailableError(absl::StrCat(
      "cannot tell the service manager at NOTIFY_SOCKET=", address, ": ", std::strerror(error)));
}

}  // namespace

absl::StatusOr<NotifySocket> NotifySocket::Open(const std::string& address) {
  // A path ends with a NUL, which an abstract name has at its beginning.
  constexpr std::size_t kRoom = sizeof(sockaddr_un{}.sun_path);
  if (address.size() < 2 || address.size() >= kRoom || (address[0] != '/' && address[0] != '@')) {
    return absl::InvalidArgumentError(
        absl::StrCat("NOTIFY_SOCKET is \"", address,
                     "\"; wanted an absolute path, or an abstract name that begins with @, of at "
                     "most ",
                     kRoom - 1, " bytes"));
  }
  NotifySocket socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), address);
  if (socket.descriptor_ < 0) return NotifyError(address, errno);
  setsockopt(socket.descriptor_, SOL_SOCKET, SO_SNDTIMEO, &kMostTime, sizeof(kMostTime));
  return socket;
}

NotifySocket::NotifySocket(NotifySocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), address_(std::move(other.address_)) {}

NotifySocket::~NotifySocket() {
  if (descriptor_ >= 0) close(descriptor_);
}

absl::Status NotifySocket::Send(std::string_view assignments) const {
  const sockaddr_un name = NameOf(address_);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  // The name each time, and no connection: the service manager may have started again meanwhile.
  ssize_t sent = 0;
  do {
    sent = sendto(descriptor_, assignments.data(), assignments.size(), MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&name), length);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? NotifyError(address_, errno) : absl::OkStatus();
}

NotifyEnvironment TakeNotifyEnvironment() {
  NotifyEnvironment environment;
  environment.socket = TakeVariable("NOTIFY_SOCKET");
  const std::string interval = TakeVariable("WATCHDOG_USEC");
  const std::string process = TakeVariable("WATCHDOG_PID");
  std::int64_t number = 0;
  if (!process.empty()) {
    if (!absl::SimpleAtoi(process, &number) || number < 1) {
      environment.problem =
          absl::StrCat("WATCHDOG_PID is \"", process, "\"; wanted the id of a process");
      return environment;
    }
    if (number != getpid()) return environment;
  }
  if (interval.empty()) return environment;
  if (!absl::SimpleAtoi(interval, &number) || number < 1) {
    environment.problem =
        absl::StrCat("WATCHDOG_USEC is \"", interval, "\"; wanted a number of microseconds");
    return environment;
  }
  environment.watchdog = absl::Microseconds(number);
  return environment;
}

}  // namespace hellocnn
