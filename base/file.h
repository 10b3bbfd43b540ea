// Whole files: read up to a limit, and replaced at once.
#ifndef HELLOCNN_BASE_FILE_H_
#define HELLOCNN_BASE_FILE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hellocnn {

// The first `max_bytes` bytes of a regular file, or all of them if it has fewer. Takes memory in
// proportion to what it reads. Blocks on the disk. Thread-safe. NOT_FOUND: no such file.
// INVALID_ARGUMENT names the file and says why it cannot be read.
absl::StatusOr<std::string> ReadFileStart(const std::string& path, std::size_t max_bytes);

// Makes `bytes` the content of `path`. Whoever opens it finds the old content or the new, never a
// part, even if this process or the machine stops meanwhile. The new content is written to a file
// beside it first, whose name begins alike. Blocks on the disk. Thread-safe, if each thread has
// another path. UNKNOWN names the file and the system's reason; the old content stays.
absl::Status ReplaceFile(const std::string& path, std::string_view bytes);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_FILE_H_
