// Reads the weights of a network that torch.onnx.export wrote. The format's source is
// https://github.com/onnx/onnx/blob/main/docs/IR.md. No code of ONNX is needed.
#ifndef HELLOCNN_FORMATS_ONNX_ONNX_FILE_H_
#define HELLOCNN_FORMATS_ONNX_ONNX_FILE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Returns true if a file with these first bytes, at least two, is probably ONNX.
bool BeginsLikeOnnx(std::string_view start);

// Loads the weights of the graph, which must be HelloCNN's, layer by layer. They are taken by their
// place in the graph, so their names do not matter. The graph may end without LogSoftmax, which is
// then noted. Types of numbers may differ as AssembleWeights allows; for whatever does, a sentence
// is appended to `notes` unless it is null. Nothing in the file is run.
//
// Blocks on the disk. Thread-safe. NOT_FOUND: there is no such file. INVALID_ARGUMENT: the file is
// invalid. The message names the file, the node or tensor if it concerns one, the value found and
// the value wanted.
absl::StatusOr<Weights> LoadOnnxFile(const std::string& path,
                                     std::vector<std::string>* notes = nullptr);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_ONNX_ONNX_FILE_H_
