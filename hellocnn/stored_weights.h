// From the tensors of a weight file, whatever its format, to the weights of the network.
#ifndef HELLOCNN_STORED_WEIGHTS_H_
#define HELLOCNN_STORED_WEIGHTS_H_

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/dtype.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Finds the network's ten tensors among the names of a file. Returns the name in the file by the
// name in the network: "_orig_mod.conv.0.weight" by "conv.0.weight".
//
// The names may have any prefix that all ten share. They may also have in any place the name of a
// wrapper that PyTorch puts around modules: "_orig_mod" of torch.compile, "module" of DataParallel.
//
// INVALID_ARGUMENT: a tensor is missing, a name does not belong to HelloCNN, or the names fit more
// than once. The message names the tensors, but not the file.
absl::StatusOr<std::map<std::string, std::string>> FindTensors(
    const std::vector<std::string>& names);

// Returns how many of the ten tensors the names have with the prefix that fits best: 10 for a model
// of HelloCNN, 0 for something else.
std::size_t CountTensors(const std::vector<std::string>& names);

// A tensor, and the type that its numbers have in the file.
struct StoredTensor {
  Tensor tensor;
  Dtype dtype = Dtype::kFloat32;
};

// Finds the ten tensors, has `load` load each of them by its name in the file, and checks them.
// Appends to `notes`, which may be null, a sentence for whatever was changed: names that were
// stripped, numbers that were converted.
//
// Returns the errors of `load`, of FindTensors and of Weights::Create; the last two with `path`
// before them.
absl::StatusOr<Weights> AssembleWeights(
    const std::string& path, const std::vector<std::string>& names,
    const std::function<absl::StatusOr<StoredTensor>(const std::string& name)>& load,
    std::vector<std::string>* notes);

}  // namespace hellocnn

#endif  // HELLOCNN_STORED_WEIGHTS_H_
