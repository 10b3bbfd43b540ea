// The token that the calls of a client carry, so that a server with access control knows them.
#ifndef HELLOCNN_CLIENT_TOKEN_H_
#define HELLOCNN_CLIENT_TOKEN_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "hellocnn/client/client_options.h"

namespace hellocnn::client {

inline constexpr std::size_t kLongestToken = 4096;  // bytes
// The name of the metadata that carries the token.
inline constexpr char kTokenHeader[] = "authorization";

// Returns OK if `token` is 1 to kLongestToken printable characters of ASCII without spaces.
// INVALID_ARGUMENT: the message says what is wrong with it and begins with `name`, but has no part
// of the token in it. Thread-safe.
absl::Status CheckToken(absl::string_view token, absl::string_view name);

// Returns the token in a regular file, without the end of its line. Blocks on the disk. The errors
// name the path, and are those of ReadFileStart and of CheckToken. Thread-safe.
absl::StatusOr<std::string> ReadToken(const std::string& path);

// Returns true if the file is there and users other than its owner may read it. Thread-safe.
bool OthersMayRead(const std::string& path);

// Holds the token, and reads its file again while it is in use. Thread-safe.
class TokenSource {
 public:
  // How long a token is used before its file is read again.
  static constexpr absl::Duration kReadInterval = absl::Seconds(1);

  // Reads the token at time `now`. Returns null if `options.token` is unset. The errors are those
  // of ReadToken. INVALID_ARGUMENT: TokenOptions has both a file and a value, or neither, or the
  // token would be sent unencrypted to another machine. `options.target` must be valid.
  static absl::StatusOr<std::shared_ptr<TokenSource>> Open(const ClientOptions& options,
                                                           Instant now);

  // Use Open.
  TokenSource(std::string file, absl::string_view token, Instant now);

  // Returns the value of kTokenHeader for a call that starts at `now`. Blocks on the disk at most
  // once in each kReadInterval. If the file cannot be read then, or has no valid token in it, the
  // former token stays in use.
  std::shared_ptr<const std::string> Header(Instant now) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::string file_;  // empty if the token is a constant
  Mutex mutex_;
  std::shared_ptr<const std::string> header_ ABSL_GUARDED_BY(mutex_);
  Instant read_again_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_TOKEN_H_
