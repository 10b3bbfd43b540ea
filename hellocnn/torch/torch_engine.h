// The LibTorch engine. This header does not include LibTorch.
#ifndef HELLOCNN_TORCH_TORCH_ENGINE_H_
#define HELLOCNN_TORCH_TORCH_ENGINE_H_

#include "absl/status/statusor.h"
#include "hellocnn/engine.h"
#include "hellocnn/image.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Sets LibTorch's intra-op and inter-op thread pools to one thread, for the whole process. Call
// once, before the first engine is made: the batcher's workers are the parallelism, and pools of
// LibTorch's own would trample them.
void UseOneThreadPerCall();

// A factory of engines with these weights that take 1 to `max_batch_size` images at a time (more:
// INVALID_ARGUMENT). INVALID_ARGUMENT: max_batch_size < 1. INTERNAL: LibTorch failed. Each engine
// holds a copy of the weights (247 kB) and of the input (4 kB an image).
absl::StatusOr<EngineFactory> TorchEngineFactory(const Weights& weights,
                                                 const Normalization& normalization,
                                                 int max_batch_size);

// As TorchEngineFactory, with every module as the original wrote it: slower by a factor of two to
// eight.
absl::StatusOr<EngineFactory> TorchEagerEngineFactory(const Weights& weights,
                                                      const Normalization& normalization,
                                                      int max_batch_size);

}  // namespace hellocnn

#endif  // HELLOCNN_TORCH_TORCH_ENGINE_H_
