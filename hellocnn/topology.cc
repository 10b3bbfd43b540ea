#include "hellocnn/topology.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace hellocnn {

std::int64_t TensorSpec::size() const {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) product *= extent;
  return product;
}

std::vector<TensorSpec> WeightTensors(int classes) {
  std::vector<TensorSpec> specs;
  for (const PlacedLayer& placed : PlaceLayers(classes)) {
    if (placed.parameters == 0) continue;
    const std::string name(placed.layer.name);
    const std::int64_t outputs = placed.layer.outputs;
    if (placed.layer.kind == Layer::Kind::kConv2d) {
      const std::int64_t window = placed.layer.window;
      specs.push_back({name + ".weight", {outputs, placed.input.channels, window, window}});
    } else {
      specs.push_back({name + ".weight", {outputs, placed.input.size()}});
    }
    specs.push_back({name + ".bias", {outputs}});
  }
  return specs;
}

std::string Describe(const PlacedLayer& placed) {
  const Layer& layer = placed.layer;
  switch (layer.kind) {
    case Layer::Kind::kConv2d:
      return absl::StrFormat("Conv2d(%d, %d, kernel %dx%d)", placed.input.channels, layer.outputs,
                             layer.window, layer.window);
    case Layer::Kind::kReLU:
      return "ReLU";
    case Layer::Kind::kMaxPool2d:
      return absl::StrFormat("MaxPool2d(%dx%d, stride 1)", layer.window, layer.window);
    case Layer::Kind::kLinear:
      return absl::StrFormat("Linear(%d, %d)", placed.input.size(), layer.outputs);
    case Layer::Kind::kLogSoftmax:
      return "LogSoftmax";
  }
  return "";
}

std::string ShapeToString(const std::vector<std::int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

}  // namespace hellocnn
