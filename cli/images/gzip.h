// Decompresses gzipped bytes in memory.
#ifndef HELLOCNN_CLI_IMAGES_GZIP_H_
#define HELLOCNN_CLI_IMAGES_GZIP_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace hellocnn::cli {

// Returns true if `bytes` begin as every gzip file does.
bool IsGzip(const std::string& bytes);

// Returns the content of `bytes`, which are one gzip file or several in a row. `name` stands for
// the file in messages. Memory grows with the actual content, not with what a header claims.
// Thread-safe. INVALID_ARGUMENT: the bytes are broken or cut off, or have more than `max_bytes`
// bytes of content.
absl::StatusOr<std::string> Gunzip(const std::string& name, const std::string& bytes,
                                   std::size_t max_bytes);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_GZIP_H_
