// Which engine serves: the first of those wanted whose answers are the reference's.
#ifndef HELLOCNN_SERVER_SERVING_ENGINE_SELECTION_H_
#define HELLOCNN_SERVER_SERVING_ENGINE_SELECTION_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/engine.h"

namespace hellocnn::server {

// How far apart two log-probabilities may be: in proportion to the greatest of the image, by
// magnitude, if that is above 1. Engines add in different orders, which moves a value of -50 by up
// to 1e-4; a wrong weight or a lost image moves it by far more.
inline constexpr double kAgreement = 1e-4;

// Has `candidate` classify a fixed set of grey and float images in batches of every size from 1 to
// `max_batch_size`, and compares with `reference`, which gets them one at a time. Blocks for as
// long as that takes. FAILED_PRECONDITION says which image of which batch is how far off. Other
// errors are the engines'.
absl::Status CheckAgreement(const EngineFactory& candidate, const EngineFactory& reference,
                            int max_batch_size);

struct NamedEngines {
  std::string name;  // "simd"
  EngineFactory factory;
};

// Engines that may be had. `make` is called if it comes to them and not before: it may have to load
// a library first.
struct EngineCandidate {
  std::string name;
  std::function<absl::StatusOr<EngineFactory>()> make;
};

// The first of `candidates` that can be made and agrees with `reference`. The others before it are
// logged as warnings, with the reason. None: the error of the last one, with its name. At least one
// candidate.
absl::StatusOr<NamedEngines> SelectEngines(const std::vector<EngineCandidate>& candidates,
                                           const EngineFactory& reference, int max_batch_size);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_ENGINE_SELECTION_H_
