// Checks JPEG files before stb_image decodes them.
#ifndef HELLOCNN_CLI_IMAGES_JPEG_H_
#define HELLOCNN_CLI_IMAGES_JPEG_H_

#include <string>

#include "absl/status/status.h"

namespace hellocnn::cli {

// Checks the Huffman tables of a JPEG file. stb_image 2.27, the version of Debian 12, has room for
// 256 codes of a table. It writes as many as a file claims, up to 4,080. INVALID_ARGUMENT names
// `name` and says how many codes a table has. Returns OK for other faults, which stb_image finds.
absl::Status CheckHuffmanTables(const std::string& name, const std::string& bytes);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_JPEG_H_
