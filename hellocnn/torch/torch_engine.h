// The LibTorch engine. This header does not include LibTorch.
#ifndef HELLOCNN_TORCH_TORCH_ENGINE_H_
#define HELLOCNN_TORCH_TORCH_ENGINE_H_

#include "absl/status/statusor.h"
#include "hellocnn/engine.h"
#include "hellocnn/image.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Sets up the whole process for LibTorch. Call it once, before the first engine is made.
//
// It limits LibTorch's intra-op and inter-op thread pools to one thread each. The worker threads of
// the batcher provide the parallelism, and LibTorch's own pools would compete with them.
//
// It also makes malloc keep up to 64 MiB of free memory for the activations between layers.
// Otherwise malloc would get this memory from the kernel for each batch and return it afterwards.
void SetUpLibTorch();

// Returns a factory of engines with these weights. An engine accepts 1 to `max_batch_size` images
// at a time and rejects a larger batch with INVALID_ARGUMENT. Each engine holds a copy of the
// weights (247 kB) and of the input (4 kB for each image).
// INVALID_ARGUMENT: `max_batch_size` < 1. INTERNAL: LibTorch failed.
absl::StatusOr<EngineFactory> TorchEngineFactory(const Weights& weights,
                                                 const Normalization& normalization,
                                                 int max_batch_size);

// Returns a factory like TorchEngineFactory's, but its engines run every module as the Python
// original wrote it. They are slower by a factor of two to eight.
absl::StatusOr<EngineFactory> TorchEagerEngineFactory(const Weights& weights,
                                                      const Normalization& normalization,
                                                      int max_batch_size);

}  // namespace hellocnn

#endif  // HELLOCNN_TORCH_TORCH_ENGINE_H_
