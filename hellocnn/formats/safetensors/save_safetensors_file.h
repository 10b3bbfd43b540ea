// Writes weights as safetensors.torch.save_file(model.state_dict(), path) does.
#ifndef HELLOCNN_FORMATS_SAFETENSORS_SAVE_SAFETENSORS_FILE_H_
#define HELLOCNN_FORMATS_SAFETENSORS_SAVE_SAFETENSORS_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Writes `path` so that safetensors.torch.load_file(path) gives a dict for load_state_dict(), and
// LoadSafetensorsFile gives the same weights. The tensors lie in the order of their names, the data
// begins at a multiple of 8 bytes, and the metadata is {"format": "pt"}, for which some loaders
// ask. The same weights give the same bytes. An existing file is replaced at once or not at all.
// Blocks on the disk. Errors as ReplaceFile. safetensors_file.h has the
// format.
absl::Status SaveSafetensorsFile(const Weights& weights, const std::string& path);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_SAFETENSORS_SAVE_SAFETENSORS_FILE_H_
