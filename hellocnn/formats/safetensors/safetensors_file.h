// Reads weights from safetensors files, which many tools write.
#ifndef HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_FILE_H_
#define HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Loads a file that safetensors.torch.save_file(model.state_dict(), path) wrote. Names and types of
// numbers may differ as AssembleWeights allows, which appends to `notes`. Takes time and
// memory in proportion to the size of the file, whatever its content. Blocks on the disk.
// Thread-safe. NOT_FOUND: there is no such file. INVALID_ARGUMENT: the file is invalid. The message
// names the file, the tensor if it concerns one, the value found and the value wanted.
//
// Format (https://github.com/huggingface/safetensors, "Format"):
//   - the length of the header: 8 bytes, little-endian;
//   - the header: JSON, which may end in spaces;
//   - the data.
//
// The header has for each tensor its dtype, its shape, and the begin and the end of its values in
// the data. It may also have "__metadata__", an object of strings, which is ignored. There is no
// checksum, so a corrupted number cannot be detected.
absl::StatusOr<Weights> LoadSafetensorsFile(const std::string& path,
                                            std::vector<std::string>* notes = nullptr);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_FILE_H_
