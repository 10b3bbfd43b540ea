// Writes weights as torch.save(model.state_dict(), path) does.
#ifndef HELLOCNN_FORMATS_PYTORCH_SAVE_PYTORCH_FILE_H_
#define HELLOCNN_FORMATS_PYTORCH_SAVE_PYTORCH_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Writes `path` so that torch.load(path), with weights_only too, gives an OrderedDict for
// load_state_dict(), and LoadPytorchFile gives the same weights. The same weights give the same
// bytes. An existing file is replaced at once or not at all. Errors as ReplaceFile. Format: a zip
// of stored records, of which data.pkl is a protocol 2 pickle (torch/serialization.py in PyTorch's
// sources).
absl::Status SavePytorchFile(const Weights& weights, const std::string& path);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_SAVE_PYTORCH_FILE_H_
