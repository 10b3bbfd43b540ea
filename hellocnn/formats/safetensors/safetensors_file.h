// Reads weights out of safetensors files, which many tools write.
#ifndef HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_FILE_H_
#define HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Loads what safetensors.torch.save_file(model.state_dict(), path) wrote. Takes time and memory in
// proportion to the file, whatever it says. Blocks on the disk. Thread-safe. NOT_FOUND: no such
// file. INVALID_ARGUMENT names the file, and the tensor if it is about one, what was found and what
// was wanted.
//
// Format (https://github.com/huggingface/safetensors, "Format"): 8 bytes, the length of the header,
// little-endian; the header, JSON, which may end in spaces; the data. The header has for each
// tensor its dtype, its shape and where its values begin and end in the data, and may have
// "__metadata__", strings by name, which are not used here. There is no checksum: a changed number
// cannot be told from a right one.
absl::StatusOr<Weights> LoadSafetensorsFile(const std::string& path);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_FILE_H_
