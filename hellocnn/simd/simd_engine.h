// The engine in hand-tuned SIMD, on Highway. Needs no LibTorch. See docs/engine.md.
#ifndef HELLOCNN_SIMD_SIMD_ENGINE_H_
#define HELLOCNN_SIMD_SIMD_ENGINE_H_

#include <string>

#include "absl/status/statusor.h"
#include "hellocnn/engine.h"
#include "hellocnn/image.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// A factory of engines with these weights that take 1 to `max_batch_size` images at a time (more:
// INVALID_ARGUMENT). INVALID_ARGUMENT: max_batch_size < 1.
//
// The best instruction set that the CPU has is chosen here, and the weights are packed for it:
// about 500 kB, immutable, shared by all engines of the factory and freed with the last of them.
// Each engine holds scratch memory of its own, whatever max_batch_size is: 16 kB a lane, so 63 kB
// with SSE4 or NEON, 127 kB with AVX2, 253 kB with AVX-512. Its Classify allocates nothing, takes
// no lock, and gives an image the same log-probabilities, to the last bit, in any batch.
absl::StatusOr<EngineFactory> SimdEngineFactory(const Weights& weights,
                                                const Normalization& normalization,
                                                int max_batch_size);

// The instruction set that the next factory chooses, by Highway's name: "AVX2". Thread-safe.
std::string SimdInstructionSet();

}  // namespace hellocnn

#endif  // HELLOCNN_SIMD_SIMD_ENGINE_H_
