// Unix sockets that listen, which people write as unix:/path. Functions are thread-safe.
#ifndef HELLOCNN_BASE_UNIX_SOCKET_H_
#define HELLOCNN_BASE_UNIX_SOCKET_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hellocnn {

// Returns true if the text begins with "unix:".
bool IsUnixAddress(std::string_view text);

// Returns the path of "unix:/path" or "unix:///path". INVALID_ARGUMENT: the path is not absolute,
// or is longer than the path of a socket may be. The message says what is wrong with the text and
// how to write it instead. It continues a sentence such as `--listen is "…": `.
absl::StatusOr<std::string> ParseUnixAddress(std::string_view text);

// Calls `listen(path)` with the path of `address`, after the file has been removed that a dead
// server may have left there. No other process that uses this function takes a socket in the same
// folder at the same time; the function blocks while one does. Returns what `listen` returns, or
// UNAVAILABLE: "cannot listen on ADDRESS: …" with the reason. The folder does not exist, a server
// that lives listens there, or the file there is not a socket.
absl::Status TakeUnixSocket(const std::string& address,
                            const std::function<absl::Status(const std::string& path)>& listen);

// Listens on unix:/path. Who may connect follows from the umask and from the folder. Returns a
// descriptor that does not block and is closed on exec; the caller closes it, and removes the file
// before that. UNAVAILABLE: as TakeUnixSocket, or the error of the system.
absl::StatusOr<int> ListenOnUnixSocket(const std::string& address);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_UNIX_SOCKET_H_
