// A look at JPEG files before stb_image gets them.
#ifndef HELLOCNN_CLI_IMAGES_JPEG_H_
#define HELLOCNN_CLI_IMAGES_JPEG_H_

#include <string>

#include "absl/status/status.h"

namespace hellocnn::cli {

// Checks the Huffman tables of a JPEG file. stb_image 2.27, which Debian 12 has, keeps 256 codes of
// a table and writes all that a file claims, up to 4,080. INVALID_ARGUMENT names `name` and says
// how many codes a table has. OK for other faults: stb_image finds those.
absl::Status CheckHuffmanTables(const std::string& name, const std::string& bytes);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_JPEG_H_
