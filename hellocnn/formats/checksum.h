// Checksums of files, by which a model card knows its weights, and of texts.
#ifndef HELLOCNN_FORMATS_CHECKSUM_H_
#define HELLOCNN_FORMATS_CHECKSUM_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace hellocnn {

// Returns the SHA-256 of a regular file as 64 hexadecimal digits in lower case, as sha256sum prints
// it. Takes little memory, whatever the size. Blocks on the disk. Thread-safe. Errors name the
// path: those of ReadFileStart, and INTERNAL if OpenSSL fails.
absl::StatusOr<std::string> Sha256OfFile(const std::string& path);

// Returns the SHA-256 of `bytes` in the same form. INTERNAL if OpenSSL fails. Thread-safe.
absl::StatusOr<std::string> Sha256Of(absl::string_view bytes);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_CHECKSUM_H_
