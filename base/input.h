// What a program is given to read: a file, a pipe, or its standard input.
#ifndef HELLOCNN_BASE_INPUT_H_
#define HELLOCNN_BASE_INPUT_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace hellocnn {

// Reads all of `path`, which may be a pipe or a device and is opened exactly once; "-" is standard
// input. Takes memory in proportion to what there is. Blocks until the other end of a pipe closes
// it. Thread-safe, except that standard input can be read only once.
//
// Errors name the path. NOT_FOUND: no such file. INVALID_ARGUMENT: a folder, or more than
// `max_bytes` bytes. Otherwise the code and the text that belong to errno.
absl::StatusOr<std::string> ReadInput(const std::string& path, std::size_t max_bytes);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_INPUT_H_
