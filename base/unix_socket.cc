#include "base/unix_socket.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/shown.h"

namespace hellocnn {
namespace {

constexpr std::string_view kPrefix = "unix:";
constexpr std::size_t kLongestPath = sizeof(sockaddr_un{}.sun_path) - 1;  // a zero byte ends it

absl::Status CannotListen(const std::string& address, const std::string& reason) {
  return absl::UnavailableError(
      absl::StrCat("cannot listen on ", Shown(address, 200), ": ", reason));
}

std::string TextOf(int error) { return std::generic_category().message(error); }

// `path` must not be too long.
sockaddr_un NameOf(const std::string& path) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), name.sun_path);
  return name;
}

int NewSocket() { return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

// Returns 0 if a server accepts connections at the path, and otherwise the error.
int TryToConnect(const std::string& path) {
  const int client = NewSocket();
  if (client < 0) return errno;
  const sockaddr_un name = NameOf(path);
  const int error =
      connect(client, reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0 ? 0 : errno;
  close(client);
  return error == EAGAIN ? 0 : error;  // so many wait that there is no room for one more
}

// Returns "" if there is nothing at the path, or only a dead socket, which it removes. Otherwise
// returns the reason why the path cannot be had.
std::string MakeRoom(const std::string& path) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return errno == ENOENT ? "" : TextOf(errno);
  if (!S_ISSOCK(found.st_mode)) {
    return "there is a file of that name that is not a socket; remove it, or choose another path";
  }
  switch (const int error = TryToConnect(path)) {
    case 0:
      return "another server listens on it; stop it, or choose another path";
    case ECONNREFUSED:  // its server is dead
      return unlink(path.c_str()) == 0 || errno == ENOENT
                 ? ""
                 : absl::StrCat("the socket of a dead server cannot be removed: ", TextOf(errno));
    case ENOENT:  // it has just gone
      return "";
    default:
      return absl::StrCat(
          "there is a socket already, which cannot be asked whether its server "
          "lives: ",
          TextOf(error));
  }
}

}  // namespace

bool IsUnixAddress(std::string_view text) { return text.starts_with(kPrefix); }

absl::StatusOr<std::string> ParseUnixAddress(std::string_view text) {
  std::string_view path = text.substr(IsUnixAddress(text) ? kPrefix.size() : 0);
  if (path.starts_with("///")) path.remove_prefix(2);
  if (path.size() < 2 || path[0] != '/' || path[1] == '/') {
    return absl::InvalidArgumentError(
        "no absolute path follows unix:; wanted unix:/path, such as unix:/run/hellocnn.sock");
  }
  if (path.size() > kLongestPath) {
    return absl::InvalidArgumentError(absl::StrCat("the path has ", path.size(),
                                                   " bytes; the path of a Unix socket has at most ",
                                                   kLongestPath));
  }
  if (std::any_of(path.begin(), path.end(),
                  [](unsigned char character) { return absl::ascii_iscntrl(character); })) {
    return absl::InvalidArgumentError("the path has a control character in it");
  }
  return std::string(path);
}

absl::Status TakeUnixSocket(const std::string& address,
                            const std::function<absl::Status(const std::string& path)>& listen) {
  const absl::StatusOr<std::string> path = ParseUnixAddress(address);
  if (!path.ok()) return CannotListen(address, std::string(path.status().message()));
  const std::string folder = path->substr(0, std::max<std::size_t>(path->rfind('/'), 1));
  // Two servers that start together could otherwise both find a dead socket, and the second would
  // remove the new socket of the first.
  const int lock = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock < 0) {
    return CannotListen(address, absl::StrCat("the folder ", Shown(folder, 200),
                                              " cannot be opened: ", TextOf(errno)));
  }
  const absl::Cleanup unlock = [lock] { close(lock); };
  while (flock(lock, LOCK_EX) != 0 && errno == EINTR) {
  }
  const std::string reason = MakeRoom(*path);
  return reason.empty() ? listen(*path) : CannotListen(address, reason);
}

absl::StatusOr<int> ListenOnUnixSocket(const std::string& address) {
  int listening = -1;
  const absl::Status status = TakeUnixSocket(address, [&](const std::string& path) {
    const sockaddr_un name = NameOf(path);
    listening = NewSocket();
    if (listening >= 0 &&
        bind(listening, reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0 &&
        listen(listening, SOMAXCONN) == 0) {
      return absl::OkStatus();
    }
    const int error = errno;
    if (listening >= 0) close(listening);
    return CannotListen(address, absl::StrCat("the socket cannot be made: ", TextOf(error)));
  });
  if (!status.ok()) return status;
  return listening;
}

}  // namespace hellocnn
