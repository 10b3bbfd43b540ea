// HelloCNN's layer table as data. The shapes, the numbers of parameters and multiply-adds, and the
// names and shapes of the weight tensors are all computed from it. Nothing else in the project
// states them.
//
// Only one number differs between models: the number of classes of the last dense layer, which the
// weights decide (Weights::classes()).
#ifndef HELLOCNN_TOPOLOGY_H_
#define HELLOCNN_TOPOLOGY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hellocnn {

// The shape of one image's activation: [channels, height, width]. A vector of n is [n, 1, 1].
struct Shape {
  int channels;
  int height;
  int width;

  constexpr int size() const { return channels * height * width; }
  friend constexpr bool operator==(const Shape&, const Shape&) = default;
};

inline constexpr int kImageSide = 32;
inline constexpr int kImagePixels = kImageSide * kImageSide;
inline constexpr Shape kInputShape{1, kImageSide, kImageSide};

// The bounds of a model's number of classes, both inclusive.
inline constexpr int kMinClasses = 2;
inline constexpr int kMaxClasses = 1024;

// One row of the table. Convolutions and pools have stride 1 and no padding.
struct Layer {
  enum class Kind { kConv2d, kReLU, kMaxPool2d, kLinear, kLogSoftmax };

  Kind kind;
  std::string_view name;  // as in the Python original's state_dict
  int outputs = 0;        // channels of a convolution, features of a dense layer
  int window = 0;         // side of the square kernel of a convolution or a pool
};

inline constexpr std::size_t kLayers = 12;

// Returns the layer table of a model with `classes` classes.
constexpr std::array<Layer, kLayers> Layers(int classes) {
  return {{
      {Layer::Kind::kConv2d, "conv.0", 6, 5},
      {Layer::Kind::kReLU, "conv.1"},
      {Layer::Kind::kMaxPool2d, "conv.2", 0, 15},
      {Layer::Kind::kConv2d, "conv.3", 16, 5},
      {Layer::Kind::kReLU, "conv.4"},
      {Layer::Kind::kMaxPool2d, "conv.5", 0, 6},
      {Layer::Kind::kConv2d, "conv.6", 120, 5},
      {Layer::Kind::kReLU, "conv.7"},
      {Layer::Kind::kLinear, "linear.0", 84},
      {Layer::Kind::kReLU, "linear.1"},
      {Layer::Kind::kLinear, "linear.2", classes},
      {Layer::Kind::kLogSoftmax, "linear.3"},
  }};
}

// Returns the shape after `layer` has been applied to an activation of shape `in`.
constexpr Shape OutputShape(const Layer& layer, Shape in) {
  switch (layer.kind) {
    case Layer::Kind::kConv2d:
      return {layer.outputs, in.height - layer.window + 1, in.width - layer.window + 1};
    case Layer::Kind::kMaxPool2d:
      return {in.channels, in.height - layer.window + 1, in.width - layer.window + 1};
    case Layer::Kind::kLinear:
      return {layer.outputs, 1, 1};
    case Layer::Kind::kReLU:
    case Layer::Kind::kLogSoftmax:
      return in;
  }
  return in;
}

// Returns the number of trained parameters, weights and biases, of `layer` for an input of shape
// `in`.
constexpr std::int64_t Parameters(const Layer& layer, Shape in) {
  switch (layer.kind) {
    case Layer::Kind::kConv2d:
      return std::int64_t{layer.outputs} * (in.channels * layer.window * layer.window + 1);
    case Layer::Kind::kLinear:
      return std::int64_t{layer.outputs} * (in.size() + 1);
    default:
      return 0;
  }
}

// Returns the number of multiply-adds of `layer` for one image of input shape `in`. Additions of
// the bias are not counted.
constexpr std::int64_t MultiplyAdds(const Layer& layer, Shape in) {
  const Shape out = OutputShape(layer, in);
  switch (layer.kind) {
    case Layer::Kind::kConv2d:
      return std::int64_t{out.size()} * in.channels * layer.window * layer.window;
    case Layer::Kind::kLinear:
      return std::int64_t{layer.outputs} * in.size();
    default:
      return 0;
  }
}

// A layer at its position in the network, where its input shape is known.
struct PlacedLayer {
  Layer layer;
  Shape input;
  Shape output;
  std::int64_t parameters;
  std::int64_t multiply_adds;
};

// Returns the whole table with every shape and count filled in.
constexpr std::array<PlacedLayer, kLayers> PlaceLayers(int classes) {
  const std::array<Layer, kLayers> layers = Layers(classes);
  std::array<PlacedLayer, kLayers> placed{};
  Shape shape = kInputShape;
  for (std::size_t i = 0; i < kLayers; ++i) {
    const Layer& layer = layers[i];
    const Shape out = OutputShape(layer, shape);
    placed[i] = {layer, shape, out, Parameters(layer, shape), MultiplyAdds(layer, shape)};
    shape = out;
  }
  return placed;
}

// Returns the number of trained parameters of the whole network.
constexpr std::int64_t TotalParameters(int classes) {
  std::int64_t total = 0;
  for (const PlacedLayer& placed : PlaceLayers(classes)) total += placed.parameters;
  return total;
}

// Returns the number of multiply-adds of the whole network for one image.
constexpr std::int64_t TotalMultiplyAdds(int classes) {
  std::int64_t total = 0;
  for (const PlacedLayer& placed : PlaceLayers(classes)) total += placed.multiply_adds;
  return total;
}

// The name and the shape of one trained tensor, as in a PyTorch state_dict. Its values are
// row-major.
struct TensorSpec {
  std::string name;                 // "conv.0.weight"
  std::vector<std::int64_t> shape;  // [6, 1, 5, 5]

  std::int64_t size() const;
};

// The tensors of the last dense layer, whose first dimension is the number of classes.
inline constexpr char kClassWeights[] = "linear.2.weight";
inline constexpr char kClassBias[] = "linear.2.bias";

// Returns the ten tensors of a model with `classes` classes, in the order of the layers, each
// weight before its bias. Thread-safe. The list is computed on each call.
std::vector<TensorSpec> WeightTensors(int classes);

// Returns "Conv2d(1, 6, kernel 5x5)", "MaxPool2d(15x15, stride 1)", "ReLU", "Linear(120, 84)" or
// "LogSoftmax".
std::string Describe(const PlacedLayer& placed);

// Returns "[6, 1, 5, 5]".
std::string ShapeToString(const std::vector<std::int64_t>& shape);

}  // namespace hellocnn

#endif  // HELLOCNN_TOPOLOGY_H_
