// The network as the layer table defines it, in plain loops and double precision. Every other
// engine must agree with this one before it may serve.
#ifndef HELLOCNN_REFERENCE_REFERENCE_ENGINE_H_
#define HELLOCNN_REFERENCE_REFERENCE_ENGINE_H_

#include <memory>
#include <string_view>
#include <vector>

#include "hellocnn/engine.h"
#include "hellocnn/image.h"
#include "hellocnn/topology.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Returns a factory of engines with these weights, which accept batches of any size. An engine
// takes several hundred microseconds for an image: the code is made to be read, not to serve. The
// engines share the weights and allocate memory during Classify. Sums are computed in double
// precision. The output of each layer is rounded to float, as in every engine.
EngineFactory ReferenceEngineFactory(const Weights& weights, const Normalization& normalization);

// The output of one layer for one image.
struct LayerOutput {
  std::string_view name;  // as in the layer table: "conv.1"
  Shape shape;
  std::vector<float> values;  // [channels, height, width]
};

// Returns what each layer makes of the image, in the order of the layer table, for people who want
// to see it. Takes several hundred microseconds. Thread-safe.
std::vector<LayerOutput> ReferenceOutputs(const std::shared_ptr<const Weights>& weights,
                                          const Normalization& normalization,
                                          const ImageView& image);

}  // namespace hellocnn

#endif  // HELLOCNN_REFERENCE_REFERENCE_ENGINE_H_
