#include "server/serving/engine_selection.h"

#include <spdlog/spdlog.h>

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hellocnn::server {

absl::StatusOr<NamedEngines> SelectEngines(const std::vector<EngineCandidate>& candidates,
                                           const EngineFactory& reference, int max_batch_size,
                                           const StopCheck& stop, const StepRunner& run) {
  const absl::StatusOr<std::unique_ptr<Engine>> made = reference();
  if (!made.ok()) return made.status();
  const absl::StatusOr<ReferenceResults> results = ReferenceResults::Compute(**made, stop);
  if (!results.ok()) return results.status();
  const auto check = [&](const absl::StatusOr<EngineFactory>& factory) {
    if (!factory.ok()) return factory.status();
    const absl::StatusOr<std::unique_ptr<Engine>> engine = (*factory)();
    return engine.ok() ? results->Check(**engine, max_batch_size, stop, run) : engine.status();
  };
  absl::Status status;
  for (const EngineCandidate& candidate : candidates) {
    absl::StatusOr<EngineFactory> factory = candidate.make();
    status = check(factory);
    if (status.ok()) {
      return NamedEngines{candidate.name, *std::move(factory), results->OnlyClass()};
    }
    if (stop && stop()) return absl::CancelledError("stopped while an engine was verified");
    status = absl::Status(status.code(),
                          absl::StrCat("engine ", candidate.name, ": ", status.message()));
    spdlog::warn("not used: {}", std::string(status.message()));
  }
  return status;
}

}  // namespace hellocnn::server
