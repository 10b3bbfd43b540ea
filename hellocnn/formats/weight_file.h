// Weight files in any format that is known here. The one place that tells the formats apart.
#ifndef HELLOCNN_FORMATS_WEIGHT_FILE_H_
#define HELLOCNN_FORMATS_WEIGHT_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Loads PyTorch's files, as LoadPytorchFile does, and safetensors, as LoadSafetensorsFile does;
// which it is is told by content, not by name. Nothing in a file is run. Blocks on the disk.
// Thread-safe. NOT_FOUND: no such file. INVALID_ARGUMENT names the file, and the tensor if it is
// about one, what was found and what was wanted.
absl::StatusOr<Weights> LoadWeightFile(const std::string& path);

// Whether a name's ending says in which format SaveWeightFile is to write: ".pt" or ".safetensors".
bool HasWeightFileEnding(const std::string& path);

// Writes a state_dict, as SavePytorchFile does, to a path that ends in .pt, and safetensors, as
// SaveSafetensorsFile does, to one that ends in .safetensors. The same weights give the same bytes.
// An existing file is replaced at once or not at all. Blocks on the disk. INVALID_ARGUMENT: another
// ending. Errors as ReplaceFile.
absl::Status SaveWeightFile(const Weights& weights, const std::string& path);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_WEIGHT_FILE_H_
