#include "hellocnn/formats/onnx/layer_chain.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/shown.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

// More than any network of this size has between its input and its output.
constexpr int kMostSteps = 256;

std::string Shown(const onnx::Node& node) {
  const std::string& name = node.name();
  return absl::StrCat("node ", hellocnn::Shown(name.empty() ? "without a name" : name), ", ",
                      hellocnn::Shown(node.op_type()));
}

absl::Status Wrong(const std::string& what) { return absl::InvalidArgumentError(what); }

bool IsOneOf(const onnx::Node& node, std::initializer_list<std::string_view> operators) {
  return std::find(operators.begin(), operators.end(), node.op_type()) != operators.end();
}

// These do nothing when a network is used and not trained.
bool DoesNothing(const onnx::Node& node) { return IsOneOf(node, {"Identity", "Dropout"}); }

const onnx::Attribute* FindAttribute(const onnx::Node& node, std::string_view name) {
  for (const onnx::Attribute& attribute : node.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

// Returns true if the node turns a matrix. Without `perm`, ONNX reverses the dimensions.
bool SwapsDimensions(const onnx::Node& node) {
  if (node.op_type() != "Transpose") return false;
  const onnx::Attribute* const order = FindAttribute(node, "perm");
  return order == nullptr ||
         (order->ints_size() == 2 && order->ints(0) == 1 && order->ints(1) == 0);
}

// These give the values another shape, in the same order.
bool Reshapes(const onnx::Node& node) {
  return IsOneOf(node, {"Flatten", "Reshape", "Squeeze", "Unsqueeze"});
}

std::int64_t IntOf(const onnx::Node& node, std::string_view name, std::int64_t otherwise) {
  const onnx::Attribute* const attribute = FindAttribute(node, name);
  return attribute == nullptr ? otherwise : attribute->i();
}

float FloatOf(const onnx::Node& node, std::string_view name) {
  const onnx::Attribute* const attribute = FindAttribute(node, name);
  return attribute == nullptr ? 1.0F : attribute->f();
}

// An error unless every number of the attribute, if there is one, is `wanted`.
absl::Status CheckInts(const onnx::Node& node, std::string_view name, std::int64_t wanted) {
  const onnx::Attribute* const attribute = FindAttribute(node, name);
  if (attribute == nullptr) return absl::OkStatus();
  for (const std::int64_t found : attribute->ints()) {
    if (found != wanted) {
      return Wrong(
          absl::StrCat(Shown(node), ": ", std::string(name), " has ", found, "; wanted ", wanted));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckInt(const onnx::Node& node, std::string_view name, std::int64_t found,
                      std::int64_t wanted) {
  if (found == wanted) return absl::OkStatus();
  return Wrong(
      absl::StrCat(Shown(node), ": ", std::string(name), " is ", found, "; wanted ", wanted));
}

// A window that a convolution or a pool moves over its input in steps of one, without padding.
absl::Status CheckWindow(const onnx::Node& node, int side) {
  const onnx::Attribute* const window = FindAttribute(node, "kernel_shape");
  if (window != nullptr && window->ints_size() != 2) {
    return Wrong(absl::StrCat(Shown(node), ": kernel_shape has ", window->ints_size(),
                              " numbers; wanted 2"));
  }
  if (window == nullptr && node.op_type() == "MaxPool") {
    return Wrong(absl::StrCat(Shown(node), ": has no kernel_shape; wanted ", side));
  }
  for (const auto& [name, wanted] :
       {std::pair("kernel_shape", side), {"strides", 1}, {"dilations", 1}, {"pads", 0}}) {
    if (absl::Status status = CheckInts(node, name, wanted); !status.ok()) return status;
  }
  const onnx::Attribute* const padding = FindAttribute(node, "auto_pad");
  if (padding != nullptr && padding->s() != "NOTSET" && padding->s() != "VALID") {
    return Wrong(absl::StrCat(Shown(node), ": auto_pad is ", hellocnn::Shown(padding->s()),
                              "; wanted NOTSET or VALID"));
  }
  if (absl::Status status = CheckInt(node, "group", IntOf(node, "group", 1), 1); !status.ok()) {
    return status;
  }
  return CheckInt(node, "ceil_mode", IntOf(node, "ceil_mode", 0), 0);
}

class Finder {
 public:
  explicit Finder(const onnx::Graph& graph) : graph_(graph) {
    for (const onnx::Tensor& tensor : graph.initializer()) tensors_[tensor.name()] = &tensor;
    for (const onnx::Node& node : graph.node()) {
      for (const std::string& output : node.output()) makers_[output] = &node;
    }
  }

  absl::StatusOr<LayerChain> Find() {
    if (graph_.output_size() != 1) {
      return Wrong(absl::StrCat("the graph has ", graph_.output_size(), " outputs; wanted 1"));
    }
    if (absl::Status status = FollowData(); !status.ok()) return status;
    for (const Layer& layer : Layers(kMinClasses)) {
      if (absl::Status status = TakeLayer(layer); !status.ok()) return status;
    }
    if (const onnx::Node* const rest = Next(); rest != nullptr) {
      return Wrong(
          absl::StrCat(Shown(*rest), ": comes behind HelloCNN's last layer; wanted nothing"));
    }
    return std::move(chain_);
  }

 private:
  // Puts the nodes that the data pass into path_, in their order.
  absl::Status FollowData() {
    std::string value = graph_.output(0).name();
    while (true) {
      const auto maker = makers_.find(value);
      if (maker == makers_.end()) break;
      const onnx::Node& node = *maker->second;
      if (path_.size() >= kMostSteps) {
        return Wrong(absl::StrCat("the graph has more than ", kMostSteps,
                                  " nodes between its input and its output"));
      }
      if (node.input_size() == 0) {
        return Wrong(absl::StrCat(Shown(node), ": has no input; wanted the data"));
      }
      path_.push_back(&node);
      // Of an addition, either side may be the one that was trained.
      const bool second = node.op_type() == "Add" && node.input_size() == 2 &&
                          FindTensor(node.input(0)).has_value();
      value = node.input(second ? 1 : 0);
    }
    std::reverse(path_.begin(), path_.end());
    return absl::OkStatus();
  }

  // Returns the next node that does something, or null.
  const onnx::Node* Next() {
    while (at_ < path_.size() && DoesNothing(*path_[at_])) ++at_;
    return at_ < path_.size() ? path_[at_] : nullptr;
  }

  // Takes the next node, which must be one of these operators.
  absl::StatusOr<const onnx::Node*> Take(const Layer& layer,
                                         std::initializer_list<std::string_view> operators) {
    const std::string wanted =
        absl::StrCat(std::string(*operators.begin()), " for layer ", std::string(layer.name));
    const onnx::Node* const node = Next();
    if (node == nullptr) return Wrong(absl::StrCat("the graph ends before ", wanted));
    if (!IsOneOf(*node, operators) || !(node->domain().empty() || node->domain() == "ai.onnx")) {
      return Wrong(absl::StrCat(Shown(*node), ": wanted ", wanted,
                                ", because the graph must be HelloCNN's"));
    }
    ++at_;
    return node;
  }

  void SkipReshapes() {
    while (Next() != nullptr && Reshapes(*Next())) ++at_;
  }

  absl::Status TakeLayer(const Layer& layer) {
    switch (layer.kind) {
      case Layer::Kind::kConv2d: {
        if (chain_.weights.empty()) SkipReshapes();
        const absl::StatusOr<const onnx::Node*> node = Take(layer, {"Conv"});
        if (!node.ok()) return node.status();
        if (absl::Status status = CheckWindow(**node, layer.window); !status.ok()) return status;
        return TakeWeights(layer, **node, /*transposed=*/false);
      }
      case Layer::Kind::kReLU:
        return Take(layer, {"Relu"}).status();
      case Layer::Kind::kMaxPool2d: {
        const absl::StatusOr<const onnx::Node*> node = Take(layer, {"MaxPool"});
        if (!node.ok()) return node.status();
        return CheckWindow(**node, layer.window);
      }
      case Layer::Kind::kLinear:
        SkipReshapes();
        return TakeLinear(layer);
      case Layer::Kind::kLogSoftmax:
        return TakeEnd(layer);
    }
    return absl::OkStatus();
  }

  absl::Status TakeLinear(const Layer& layer) {
    const absl::StatusOr<const onnx::Node*> taken = Take(layer, {"Gemm", "MatMul"});
    if (!taken.ok()) return taken.status();
    const onnx::Node& node = **taken;
    if (node.op_type() == "MatMul") {
      if (absl::Status status = TakeWeight(layer, ".weight", node, 1, true); !status.ok()) {
        return status;
      }
      const absl::StatusOr<const onnx::Node*> add = Take(layer, {"Add"});
      if (!add.ok()) return add.status();
      const bool first = (*add)->input_size() == 2 && FindTensor((*add)->input(0)).has_value();
      return TakeWeight(layer, ".bias", **add, first ? 0 : 1, false);
    }
    if (FloatOf(node, "alpha") != 1.0F || FloatOf(node, "beta") != 1.0F) {
      return Wrong(absl::StrCat(Shown(node), ": alpha is ", FloatOf(node, "alpha"), " and beta is ",
                                FloatOf(node, "beta"), "; wanted 1"));
    }
    if (absl::Status status = CheckInt(node, "transA", IntOf(node, "transA", 0), 0); !status.ok()) {
      return status;
    }
    return TakeWeights(layer, node, /*transposed=*/IntOf(node, "transB", 0) == 0);
  }

  absl::Status TakeEnd(const Layer& layer) {
    if (Next() == nullptr) return absl::OkStatus();
    const absl::StatusOr<const onnx::Node*> node = Take(layer, {"LogSoftmax", "Softmax"});
    if (!node.ok()) return node.status();
    chain_.end = (*node)->op_type();
    const std::int64_t axis = IntOf(**node, "axis", -1);
    return axis == -1 ? absl::OkStatus() : CheckInt(**node, "axis", axis, 1);
  }

  absl::Status TakeWeights(const Layer& layer, const onnx::Node& node, bool transposed) {
    absl::Status status = TakeWeight(layer, ".weight", node, 1, transposed);
    return status.ok() ? TakeWeight(layer, ".bias", node, 2, false) : status;
  }

  absl::Status TakeWeight(const Layer& layer, std::string_view part, const onnx::Node& node,
                          int input, bool transposed) {
    const std::string name = absl::StrCat(std::string(layer.name), std::string(part));
    if (node.input_size() <= input) {
      return Wrong(absl::StrCat(Shown(node), ": has ", node.input_size(), " inputs; wanted ",
                                input + 1, ", of which the last is ", name));
    }
    std::optional<OnnxWeight> weight = FindTensor(node.input(input));
    if (!weight.has_value()) {
      return Wrong(absl::StrCat(Shown(node), ": the file has no values of ",
                                hellocnn::Shown(node.input(input)), ", which is ", name,
                                "; wanted them: torch.onnx.export(…, export_params=True)"));
    }
    weight->transposed = weight->transposed != transposed;
    chain_.weights.emplace(name, *weight);
    return absl::OkStatus();
  }

  // Returns the tensor of that name: an initializer, or one that nodes make of nothing else.
  std::optional<OnnxWeight> FindTensor(std::string name) const {
    bool transposed = false;
    for (int step = 0; step < kMostSteps; ++step) {
      if (const auto found = tensors_.find(name); found != tensors_.end()) {
        return OnnxWeight{found->second, transposed};
      }
      const auto maker = makers_.find(name);
      if (maker == makers_.end()) return std::nullopt;
      const onnx::Node& node = *maker->second;
      if (node.op_type() == "Constant") {
        const onnx::Attribute* const value = FindAttribute(node, "value");
        if (value == nullptr) return std::nullopt;
        return OnnxWeight{&value->t(), transposed};
      }
      if (node.input_size() != 1) return std::nullopt;
      if (SwapsDimensions(node)) {
        transposed = !transposed;
      } else if (node.op_type() != "Identity") {
        return std::nullopt;
      }
      name = node.input(0);
    }
    return std::nullopt;
  }

  const onnx::Graph& graph_;
  std::map<std::string, const onnx::Tensor*> tensors_;
  std::map<std::string, const onnx::Node*> makers_;  // by the value that they make
  std::vector<const onnx::Node*> path_;
  std::size_t at_ = 0;  // in path_
  LayerChain chain_;
};

}  // namespace

absl::StatusOr<LayerChain> FindLayers(const onnx::Graph& graph) { return Finder(graph).Find(); }

}  // namespace hellocnn
