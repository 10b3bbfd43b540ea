// Reads the weight files that PyTorch writes. It does not need LibTorch, and it runs no code from
// the files.
#ifndef HELLOCNN_FORMATS_PYTORCH_PYTORCH_FILE_H_
#define HELLOCNN_FORMATS_PYTORCH_PYTORCH_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Loads a file that torch.save(model.state_dict(), path), torch.jit.script(model).save(path) or
// torch.export.save(exported_program, path) wrote, or a checkpoint, a dict that has a state_dict
// under some key. It may be a zip archive, or have the format of torch.save before PyTorch 1.6. The
// content tells which of them it is. Names and types of numbers may differ as AssembleWeights
// allows; for whatever does, a sentence is appended to `notes` unless it is null. The pickle in the
// file is read as data: no name in it is ever looked up, imported or called. TorchScript code and
// exported programs in the file are not read at all.
//
// Blocks on the disk. Thread-safe. NOT_FOUND: there is no such file. INVALID_ARGUMENT: the file is
// invalid. The message names the file, the tensor if it concerns one, the value found and the value
// wanted.
absl::StatusOr<Weights> LoadPytorchFile(const std::string& path,
                                        std::vector<std::string>* notes = nullptr);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_PYTORCH_FILE_H_
