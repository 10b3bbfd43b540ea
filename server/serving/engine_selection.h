// Selects the engine that serves: the first candidate whose results agree with the reference.
#ifndef HELLOCNN_SERVER_SERVING_ENGINE_SELECTION_H_
#define HELLOCNN_SERVER_SERVING_ENGINE_SELECTION_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/engine.h"
#include "hellocnn/engine_agreement.h"

namespace hellocnn::server {

struct NamedEngines {
  std::string name;  // "simd"
  EngineFactory factory;
  std::optional<int> only_class;  // of the network: ReferenceResults::OnlyClass()
};

// A kind of engine that could serve. `make` is called only if the candidates before it have failed:
// it may have to load a library first.
struct EngineCandidate {
  std::string name;
  std::function<absl::StatusOr<EngineFactory>()> make;
};

// Returns the first of `candidates` that can be made and agrees with `reference`. The ones before
// it are logged as warnings, with the reason. If none agrees: the error of the last one, with its
// name. CANCELLED: stopped. Needs at least one candidate. Engines are made on the calling thread
// and verified in steps of `run`. Blocks; any thread may call it that `run` allows.
absl::StatusOr<NamedEngines> SelectEngines(const std::vector<EngineCandidate>& candidates,
                                           const EngineFactory& reference, int max_batch_size,
                                           const StopCheck& stop = nullptr,
                                           const StepRunner& run = nullptr);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_ENGINE_SELECTION_H_
