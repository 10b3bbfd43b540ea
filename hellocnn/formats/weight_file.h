// Reads and writes weight files in every supported format. This is the only code that tells the
// formats apart.
#ifndef HELLOCNN_FORMATS_WEIGHT_FILE_H_
#define HELLOCNN_FORMATS_WEIGHT_FILE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Loads a PyTorch file as LoadPytorchFile does, a safetensors file as LoadSafetensorsFile does, an
// index of such files as LoadSafetensorsIndex does, or an ONNX file as LoadOnnxFile does.
// The content tells the format, not the name. Names may have a prefix or wrappers, and numbers may
// be float16, bfloat16 or float64. A sentence for each such difference, which begins with `path`,
// is appended to `notes` unless it is null. No code in a file is ever run. Blocks on the disk.
// Thread-safe. NOT_FOUND: there is no such file. INVALID_ARGUMENT: the file is invalid. The message
// names the file, the tensor if it concerns one, the value found and the value wanted.
absl::StatusOr<Weights> LoadWeightFile(const std::string& path,
                                       std::vector<std::string>* notes = nullptr);

// Returns the paths of all files that the weights at `path` consist of: `path`, and the files that
// it names if it is an index. Reads no more than an index; the files need not be there. Blocks on
// the disk. Thread-safe. NOT_FOUND: there is no such file. INVALID_ARGUMENT: the index is invalid.
// Other errors are those of ReadFileStart.
absl::StatusOr<std::vector<std::string>> FilesOfWeights(const std::string& path);

// Returns true if the path ends in ".pt" or ".safetensors", which tells SaveWeightFile the format.
bool HasWeightFileEnding(const std::string& path);

// Writes a state_dict as SavePytorchFile does if the path ends in .pt. Writes safetensors as
// SaveSafetensorsFile does if it ends in .safetensors. The same weights give the same bytes. An
// existing file is replaced atomically or left unchanged. Blocks on the disk.
// INVALID_ARGUMENT: the path has another ending. Otherwise returns the errors of ReplaceFile.
absl::Status SaveWeightFile(const Weights& weights, const std::string& path);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_WEIGHT_FILE_H_
