// Finds HelloCNN's layers among the nodes of an ONNX graph.
#ifndef HELLOCNN_FORMATS_ONNX_LAYER_CHAIN_H_
#define HELLOCNN_FORMATS_ONNX_LAYER_CHAIN_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "hellocnn/formats/onnx/onnx.pb.h"

namespace hellocnn {

// A tensor of the graph that was trained.
struct OnnxWeight {
  const onnx::Tensor* tensor;
  bool transposed;  // [inputs, outputs] instead of [outputs, inputs]
};

struct LayerChain {
  std::map<std::string, OnnxWeight> weights;  // by the name in the network: "conv.0.weight"
  std::string end;  // the operator behind the last dense layer: "LogSoftmax", "Softmax" or none
};

// Follows the data through the graph and compares each node with the layer table. The result is
// valid as long as the graph. INVALID_ARGUMENT: the graph is another network's. The message names
// the node, what it is and what was wanted, but not the file.
absl::StatusOr<LayerChain> FindLayers(const onnx::Graph& graph);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_ONNX_LAYER_CHAIN_H_
