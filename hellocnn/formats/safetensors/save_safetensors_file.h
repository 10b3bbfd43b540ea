// Writes weights as safetensors.torch.save_file(model.state_dict(), path) does.
#ifndef HELLOCNN_FORMATS_SAFETENSORS_SAVE_SAFETENSORS_FILE_H_
#define HELLOCNN_FORMATS_SAFETENSORS_SAVE_SAFETENSORS_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Writes `path` so that safetensors.torch.load_file(path) returns a dict for load_state_dict(), and
// LoadSafetensorsFile returns the same weights. safetensors_file.h describes the format.
//
// The tensors are sorted by name, and the data begins at a multiple of 8 bytes. The metadata is
// {"format": "pt"}, which some loaders require. The same weights give the same bytes.
//
// An existing file is replaced atomically or left unchanged. Blocks on the disk. Returns the errors
// of ReplaceFile.
absl::Status SaveSafetensorsFile(const Weights& weights, const std::string& path);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_SAFETENSORS_SAVE_SAFETENSORS_FILE_H_
