// The engine in hand-tuned SIMD, written with Highway. It does not need LibTorch. See
// docs/engine.md.
#ifndef HELLOCNN_SIMD_SIMD_ENGINE_H_
#define HELLOCNN_SIMD_SIMD_ENGINE_H_

#include <string>

#include "absl/status/statusor.h"
#include "hellocnn/engine.h"
#include "hellocnn/image.h"
#include "hellocnn/weights.h"

namespace hellocnn {

// Returns a factory of engines with these weights. An engine accepts 1 to `max_batch_size` images
// at a time and rejects a larger batch with INVALID_ARGUMENT.
// INVALID_ARGUMENT: `max_batch_size` < 1.
//
// This function chooses the best instruction set of the CPU and packs the weights. The packed
// weights take about 500 kB and are immutable. All engines of the factory share them, and the last
// engine frees them.
//
// Each engine has its own scratch memory, whose size does not depend on `max_batch_size`. It is 16
// kB for each lane: 63 kB with SSE4 or NEON, 127 kB with AVX2 and 253 kB with AVX-512. Classify
// allocates nothing and takes no lock. It gives an image the same log-probabilities, to the last
// bit, in any batch.
absl::StatusOr<EngineFactory> SimdEngineFactory(const Weights& weights,
                                                const Normalization& normalization,
                                                int max_batch_size);

// Returns the instruction set that the next factory will choose, by Highway's name: "AVX2".
// Thread-safe.
std::string SimdInstructionSet();

}  // namespace hellocnn

#endif  // HELLOCNN_SIMD_SIMD_ENGINE_H_
