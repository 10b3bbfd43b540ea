#include "hellocnn/formats/onnx/onnx_file.h"

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "hellocnn/formats/onnx/layer_chain.h"
#include "hellocnn/formats/onnx/onnx.pb.h"
#include "hellocnn/formats/onnx/onnx_tensor.h"
#include "hellocnn/stored_weights.h"

namespace hellocnn {
namespace {

// HelloCNN with 1,024 classes has 1.2 MB of float64. A file of many small messages takes some
// eighty times its size when it is read.
constexpr std::size_t kMaxFileBytes = std::size_t{2} << 20;

}  // namespace

bool BeginsLikeOnnx(std::string_view start) {
  // Field 1 of the model, the version of the format. It was 13 at the end of 2025.
  constexpr char kVersionField = 1 << 3;
  constexpr char kNewestVersion = 64;
  return start.size() >= 2 && start[0] == kVersionField && start[1] > 0 &&
         start[1] <= kNewestVersion;
}

absl::StatusOr<Weights> LoadOnnxFile(const std::string& path, std::vector<std::string>* notes) {
  const auto wrong = [&](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
  };
  const absl::StatusOr<std::string> bytes = ReadFileStart(path, kMaxFileBytes + 1);
  if (!bytes.ok()) return bytes.status();
  if (bytes->size() > kMaxFileBytes) {
    return wrong(
        absl::StrCat("is ONNX of more than ", kMaxFileBytes, " bytes; wanted HelloCNN's weights"));
  }
  onnx::Model model;
  if (!model.ParseFromString(*bytes)) {
    return wrong(
        "begins like ONNX, but is truncated or damaged; wanted what torch.onnx.export writes");
  }
  const absl::StatusOr<LayerChain> chain = FindLayers(model.graph());
  if (!chain.ok()) return wrong(std::string(chain.status().message()));
  std::vector<std::string> names;
  for (const auto& [name, weight] : chain->weights) names.push_back(name);
  const auto load = [&](const std::string& name) -> absl::StatusOr<StoredTensor> {
    const OnnxWeight& weight = chain->weights.at(name);
    absl::StatusOr<StoredTensor> tensor = ReadOnnxTensor(*weight.tensor, weight.transposed);
    if (tensor.ok()) return tensor;
    return wrong(absl::StrCat("tensor ", name, ": ", tensor.status().message()));
  };
  absl::StatusOr<Weights> weights = AssembleWeights(path, names, load, notes);
  if (weights.ok() && notes != nullptr && chain->end != "LogSoftmax") {
    notes->push_back(absl::StrCat(path, ": the graph ends with ",
                                  chain->end.empty() ? "a dense layer" : chain->end,
                                  "; its results become log-probabilities by LogSoftmax"));
  }
  return weights;
}

}  // namespace hellocnn
