// Whole files: read up to a limit, and replaced durably and at once.
//
// Every error names the path. Where the system gave the reason, the code is the one that
// absl::ErrnoToStatusCode gives it: NOT_FOUND (ENOENT), PERMISSION_DENIED (EACCES, EPERM, EROFS),
// RESOURCE_EXHAUSTED (ENOSPC, EMFILE), FAILED_PRECONDITION (ENOTDIR, EISDIR), and so on.
//
// Functions are thread-safe, as long as no two threads write the same path, and block on the disk.
#ifndef HELLOCNN_BASE_FILE_H_
#define HELLOCNN_BASE_FILE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hellocnn {

// Returns an error for what the system said of a file: "PATH: WHAT: REASON", with the code that
// belongs to the reason. `error` is a value of errno, not 0.
absl::Status FileError(int error, const std::string& path, const std::string& what);

// Opens a regular file for reading, and returns a descriptor that the caller closes. Never waits
// for a pipe. INVALID_ARGUMENT: it is not a regular file. Other errors are the system's.
absl::StatusOr<int> OpenRegularFile(const std::string& path);

// Returns the first `max_bytes` bytes of a regular file, or all of them if it has fewer. Takes
// memory in proportion to what it reads. Errors are those of OpenRegularFile, and the system's.
absl::StatusOr<std::string> ReadFileStart(const std::string& path, std::size_t max_bytes);

// Makes `bytes` the content of `path`, a regular file or none. Whoever opens it finds the old
// content or the new, never a part of it, even if this process or the machine stops meanwhile. When
// it returns OK, the new content is on the disk, and so is its name. The content is first written
// to a file beside it, whose name begins alike. FAILED_PRECONDITION: `path` is something else than
// a regular file. Other errors are the system's; the old content then stays.
absl::Status ReplaceFile(const std::string& path, std::string_view bytes);

// Writes a new file that only its owner may read and write. When it returns OK, the content is on
// the disk, and so is its name. ALREADY_EXISTS: there is something of that name, which stays as it
// is. Other errors are the system's; then there is no new file.
absl::Status WriteNewPrivateFile(const std::string& path, std::string_view bytes);

// Makes the folder and those above it, as far as they are missing. When it returns OK, their names
// are on the disk. Errors are the system's: FAILED_PRECONDITION or ALREADY_EXISTS if a file stands
// where a folder is wanted.
absl::Status MakeFolders(const std::string& path);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_FILE_H_
