// Writes weights as torch.save(model.state_dict(), path) does.
#ifndef HELLOCNN_FORMATS_PYTORCH_SAVE_PYTORCH_FILE_H_
#define HELLOCNN_FORMATS_PYTORCH_SAVE_PYTORCH_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Writes `path` so that torch.load(path), also with weights_only, returns an OrderedDict for
// load_state_dict(), and LoadPytorchFile returns the same weights. The same weights give the same
// bytes.
//
// The format is a zip archive of stored records. One of them, data.pkl, is a protocol 2 pickle
// (torch/serialization.py in PyTorch's sources).
//
// An existing file is replaced atomically or left unchanged. Returns the errors of ReplaceFile.
absl::Status SavePytorchFile(const Weights& weights, const std::string& path);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_SAVE_PYTORCH_FILE_H_
