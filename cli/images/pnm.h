// Decodes PNM pictures: PGM (P2, P5) and PPM (P6), with 8 and 16 bits. stb_image is not used for
// them, because it reads past missing pixels.
#ifndef HELLOCNN_CLI_IMAGES_PNM_H_
#define HELLOCNN_CLI_IMAGES_PNM_H_

#include <string>

#include "absl/status/statusor.h"
#include "cli/images/picture.h"

namespace hellocnn::cli {

// Returns true if `bytes` begin as a picture that DecodePnm can decode.
bool IsPnm(const std::string& bytes);

// INVALID_ARGUMENT names `name` and what is wrong.
absl::StatusOr<Picture> DecodePnm(const std::string& name, const std::string& bytes);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_PNM_H_
