#include "hellocnn/torch/network.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hellocnn/topology.h"
#include "hellocnn/torch/sliding_max.h"

namespace hellocnn {
namespace {

// Returns the sliding maximum of width `window` along one dimension.
torch::Tensor SlidingMax(torch::Tensor x, int window, int dimension) {
  const auto merge = [&](std::int64_t shift) {
    const std::int64_t length = x.size(dimension) - shift;
    x = torch::maximum(x.narrow(dimension, 0, length), x.narrow(dimension, shift, length));
  };
  int width = 1;
  for (; width * 2 <= window; width *= 2) merge(width);
  if (width < window) merge(window - width);
  return x;
}

// Takes and returns float32. The node of the graph keeps the winners and no pixels.
class MaxPoolWithWinners : public torch::autograd::Function<MaxPoolWithWinners> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& images, std::int64_t window) {
    const torch::Tensor input = images.contiguous();
    const PoolShape shape{input.size(0) * input.size(1), input.size(2), input.size(3), window};
    const torch::Tensor output =
        torch::empty({input.size(0), input.size(1), shape.output_height(), shape.output_width()});
    const torch::Tensor winners = torch::empty(output.sizes(), torch::kInt32);
    SlidingMax(shape, input.data_ptr<float>(), output.data_ptr<float>(),
               winners.data_ptr<std::int32_t>());
    context->save_for_backward({winners});
    context->saved_data["sizes"] = input.sizes().vec();
    context->saved_data["window"] = window;
    return output;
  }

  static torch::autograd::tensor_list backward(torch::autograd::AutogradContext* context,
                                               const torch::autograd::tensor_list& gradients) {
    const std::vector<std::int64_t> sizes = context->saved_data["sizes"].toIntVector();
    const PoolShape shape{sizes[0] * sizes[1], sizes[2], sizes[3],
                          context->saved_data["window"].toInt()};
    const torch::Tensor winners = context->get_saved_variables()[0];
    const torch::Tensor gradient = gradients[0].contiguous();
    const torch::Tensor result = torch::empty(sizes);
    SlidingMaxGradient(shape, gradient.data_ptr<float>(), winners.data_ptr<std::int32_t>(),
                       result.data_ptr<float>());
    return {result, torch::Tensor()};
  }
};

class DoublingMaxPoolImpl : public torch::nn::Module {
 public:
  explicit DoublingMaxPoolImpl(int window) : window_(window) {}
  torch::Tensor forward(const torch::Tensor& x) {
    return x.requires_grad() ? MaxPoolWithGradient(x, window_) : MaxPoolByDoubling(x, window_);
  }

 private:
  int window_;
};
TORCH_MODULE(DoublingMaxPool);

class ConvolvingLinearImpl : public torch::nn::LinearImpl {
 public:
  using torch::nn::LinearImpl::LinearImpl;
  torch::Tensor forward(const torch::Tensor& x) {
    const auto pixel = [](const torch::Tensor& matrix) { return matrix.unsqueeze(2).unsqueeze(3); };
    return torch::conv2d(pixel(x), pixel(weight), bias).flatten(1);
  }
};
TORCH_MODULE(ConvolvingLinear);

void Append(torch::nn::Sequential& modules, const PlacedLayer& placed, Kernels kernels) {
  const Layer& layer = placed.layer;
  switch (layer.kind) {
    case Layer::Kind::kConv2d:
      modules->push_back(torch::nn::Conv2d(
          torch::nn::Conv2dOptions(placed.input.channels, layer.outputs, layer.window)));
      break;
    case Layer::Kind::kReLU:
      modules->push_back(torch::nn::ReLU(torch::nn::ReLUOptions(kernels == Kernels::kFast)));
      break;
    case Layer::Kind::kMaxPool2d:
      if (kernels == Kernels::kFast) {
        modules->push_back(DoublingMaxPool(layer.window));
      } else {
        modules->push_back(
            torch::nn::MaxPool2d(torch::nn::MaxPool2dOptions(layer.window).stride(1)));
      }
      break;
    case Layer::Kind::kLinear:
      if (kernels == Kernels::kFast) {
        modules->push_back(ConvolvingLinear(placed.input.size(), layer.outputs));
      } else {
        modules->push_back(torch::nn::Linear(placed.input.size(), layer.outputs));
      }
      break;
    case Layer::Kind::kLogSoftmax:
      modules->push_back(torch::nn::LogSoftmax(1));
      break;
  }
}

}  // namespace

torch::Tensor MaxPoolByDoubling(torch::Tensor images, int window) {
  return SlidingMax(SlidingMax(std::move(images), window, 2), window, 3);
}

torch::Tensor MaxPoolWithGradient(const torch::Tensor& images, int window) {
  return MaxPoolWithWinners::apply(images, window);
}

HelloCnnImpl::HelloCnnImpl(int classes, Kernels kernels) : classes_(classes) {
  auto layers = PlaceLayers(classes);
  if (kernels == Kernels::kFast) {
    for (std::size_t i = 1; i < layers.size(); ++i) {
      if (layers[i].layer.kind == Layer::Kind::kMaxPool2d) std::swap(layers[i - 1], layers[i]);
    }
  }
  for (const PlacedLayer& placed : layers) {
    const bool convolutional = placed.layer.name.substr(0, 5) == "conv.";
    Append(convolutional ? conv_ : linear_, placed, kernels);
  }
  register_module("conv", conv_);
  register_module("linear", linear_);
}

torch::Tensor HelloCnnImpl::forward(const torch::Tensor& images) {
  // The original calls squeeze() here, which for N = 1 also drops the batch dimension.
  return linear_->forward(conv_->forward(images).flatten(1));
}

void SetWeights(HelloCnn& network, const Weights& weights) {
  const torch::NoGradGuard no_grad;
  for (auto& parameter : network->named_parameters()) {
    const auto values = weights[parameter.key()];
    const auto source = torch::from_blob(const_cast<float*>(values.data()),
                                         parameter.value().sizes(), torch::kFloat32);
    parameter.value().copy_(source);
  }
}

absl::StatusOr<Weights> GetWeights(const HelloCnn& network) {
  std::map<std::string, Tensor> tensors;
  for (const auto& parameter : network->named_parameters()) {
    const torch::Tensor values = parameter.value().detach().contiguous().cpu();
    const float* begin = values.data_ptr<float>();
    tensors[parameter.key()] = {values.sizes().vec(),
                                std::vector<float>(begin, begin + values.numel())};
  }
  return Weights::Create(std::move(tensors));
}

}  // namespace hellocnn
