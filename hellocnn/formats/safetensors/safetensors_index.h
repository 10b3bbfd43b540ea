// Reads weights that are spread over several safetensors files, with an index that says what is
// where: model.safetensors.index.json, as Hugging Face's libraries write it.
#ifndef HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_INDEX_H_
#define HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_INDEX_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Loads the tensors of an index, JSON with a "weight_map" from the name of each tensor to the name
// of its file, which must be in the folder of the index. Other members are ignored. The files are
// those of LoadSafetensorsFile, and together no larger than one may be. `notes` is that of
// AssembleWeights, and is told of the files. Blocks on the disk. Thread-safe. NOT_FOUND: a file is
// not there. INVALID_ARGUMENT: a file is invalid. The message names the file, the tensor if it
// concerns one, the value found and the value wanted.
absl::StatusOr<Weights> LoadSafetensorsIndex(const std::string& path,
                                             std::vector<std::string>* notes = nullptr);

// Returns the paths of the files that an index names, sorted. Reads the index alone, which must be
// valid. Blocks on the disk. Thread-safe. The errors are those of LoadSafetensorsIndex.
absl::StatusOr<std::vector<std::string>> FilesOfSafetensorsIndex(const std::string& path);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_SAFETENSORS_SAFETENSORS_INDEX_H_
