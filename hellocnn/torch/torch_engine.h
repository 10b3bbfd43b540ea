// The LibTorch engine. This header does not include LibTorch.
#ifndef HELLOCNN_TORCH_TORCH_ENGINE_H_
#define HELLOCNN_TORCH_TORCH_ENGINE_H_

#include "absl/status/statusor.h"
#include "hellocnn/engine.h"
#include "hellocnn/image.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Sets up the whole process for LibTorch. Call once, before the first engine is made. LibTorch's
// intra-op and inter-op thread pools get one thread: the batcher's workers are the parallelism, and
// pools of LibTorch's own would trample them. malloc keeps up to 64 MiB that are free, for what the
// layers hand on: else it fetches them from the kernel for each batch and gives them back.
void SetUpLibTorch();

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
