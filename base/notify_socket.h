// What a program tells the service manager that started it, such as systemd: sd_notify(3).
//
// The protocol is one datagram a message, which systemd documents and promises to keep. It is
// spoken here and not by libsystemd, although a library is usually better than own code. Of Debian
// 12, libsystemd brings seven libraries of 3.5 MB, compression and cryptography among them, into a
// process that faces the network, into its images and into its package. It also doubles the time
// that an otherwise empty program takes to start. All that would be used of it is the sendmsg
// below.
#ifndef HELLOCNN_BASE_NOTIFY_SOCKET_H_
#define HELLOCNN_BASE_NOTIFY_SOCKET_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hellocnn {

// The socket that a service manager listens on. Thread-safe.
class NotifySocket {
 public:
  // Returns the socket that `address` names: an absolute path, or an abstract name that begins with
  // "@". INVALID_ARGUMENT: it is neither, or too long; the message says so. UNAVAILABLE: there is
  // no descriptor left.
  static absl::StatusOr<NotifySocket> Open(const std::string& address);

  NotifySocket(NotifySocket&& other) noexcept;
  NotifySocket& operator=(NotifySocket&&) = delete;
  ~NotifySocket();

  // Sends assignments such as "READY=1\nSTATUS=Serving.", a line each. Blocks for at most a second
  // while the service manager has no room for it. UNAVAILABLE: nobody listens, or there was no
  // room.
  absl::Status Send(std::string_view assignments) const;

 private:
  NotifySocket(int descriptor, std::string address)
      : descriptor_(descriptor), address_(std::move(address)) {}

  int descriptor_;
  std::string address_;
};

// What the environment says of the service manager.
struct NotifyEnvironment {
  std::string socket;                      // NOTIFY_SOCKET; empty if nobody wants to be told
  std::optional<absl::Duration> watchdog;  // WATCHDOG_USEC, if it is meant for this process
  std::string problem;                     // with WATCHDOG_USEC or WATCHDOG_PID; empty if none
};

// Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so that no child of
// this process speaks in its name. Must be called before there are other threads, because these may
// read the environment.
NotifyEnvironment TakeNotifyEnvironment();

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_NOTIFY_SOCKET_H_
