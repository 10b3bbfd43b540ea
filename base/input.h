// Reads the input of a program: a file, a pipe, or its standard input.
//
// Errors name the path. NOT_FOUND: there is no such file. INVALID_ARGUMENT: it is a folder. Other
// errors of the system have the code and the text that belong to errno.
#ifndef HELLOCNN_BASE_INPUT_H_
#define HELLOCNN_BASE_INPUT_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hellocnn {

// Opens `path`, which may be a pipe or a device, and returns a descriptor that the caller closes.
// "-" is standard input, of which it makes a second descriptor. Waits at most 2 s for somebody to
// open a named pipe for writing. FAILED_PRECONDITION: nobody did. Thread-safe.
absl::StatusOr<int> OpenInput(const std::string& path);

// Returns the error for an input that cannot be opened or read. `error` is a value of errno, not 0.
absl::Status InputError(const std::string& path, int error);

// Opens `path` once, as OpenInput does, and reads all of it. Takes memory in proportion to what
// there is. Blocks until the other end of a pipe closes it. INVALID_ARGUMENT, besides: there are
// more than `max_bytes` bytes, or a zero byte, as no text has; it reads no further then.
// Thread-safe, except that standard input can be read only once.
absl::StatusOr<std::string> ReadText(const std::string& path, std::size_t max_bytes);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_INPUT_H_
