// Reads the weight files that PyTorch writes, without LibTorch and without running anything that is
// in them.
#ifndef HELLOCNN_FORMATS_PYTORCH_PYTORCH_FILE_H_
#define HELLOCNN_FORMATS_PYTORCH_PYTORCH_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Loads what torch.save(model.state_dict(), path) or torch.jit.script(model).save(path) wrote;
// which of the two it is is told by content. The pickle in the file is read as data: a name in it
// is never looked up, imported or called. TorchScript code in the file is not read at all. Blocks
// on the disk. Thread-safe. NOT_FOUND: no such file. INVALID_ARGUMENT names the file, and the
// tensor if it is about one, what was found and what was wanted.
absl::StatusOr<Weights> LoadPytorchFile(const std::string& path);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_PYTORCH_FILE_H_
