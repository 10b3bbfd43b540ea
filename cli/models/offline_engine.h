// Classifies images without a server.
#ifndef HELLOCNN_CLI_MODELS_OFFLINE_ENGINE_H_
#define HELLOCNN_CLI_MODELS_OFFLINE_ENGINE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/progress.h"
#include "hellocnn/engine.h"
#include "hellocnn/image.h"
#include "hellocnn/weights.h"

namespace hellocnn::cli {

// The engines of a network that can be served.
struct OfflineEngines {
  EngineFactory fast;       // the SIMD engine, which agrees with the reference
  EngineFactory reference;  // the network in double precision; takes any batch
  // The class of all images of the verification, if it is the same for all of them.
  std::optional<int> only_class;
};

// The images that an engine of `fast` takes at a time.
inline constexpr int kOfflineBatch = 64;

// Checks what a server checks of a network before it serves it: no image can make it overflow, and
// the SIMD engine agrees with the reference. Blocks for less than a second. Returns the errors of
// CheckStaysFinite and ReferenceResults. The caller decides what to do if there is an only_class.
absl::StatusOr<OfflineEngines> VerifyEngines(const Weights& weights,
                                             const Normalization& normalization);

// Returns the class of each image. `grey` is [count, 32, 32]: grey levels with the padding. Calls
// `progress` after each batch. Blocks: some 20 us for each image. Errors are the engine's.
absl::StatusOr<std::vector<int>> ClassifyAll(const OfflineEngines& engines,
                                             const std::vector<std::uint8_t>& grey,
                                             const Progress& progress);

// Returns the log-probabilities of each image, as the reference computes them: [count][classes].
// `grey` is as above. Blocks: several hundred microseconds for each image.
absl::StatusOr<std::vector<std::vector<double>>> ReferenceLogProbabilities(
    const OfflineEngines& engines, const std::vector<std::uint8_t>& grey);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_MODELS_OFFLINE_ENGINE_H_
