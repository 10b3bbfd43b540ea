#include "server/serving/model_loader.h"

#include <spdlog/spdlog.h>

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/reference/reference_engine.h"
#include "hellocnn/simd/simd_engine.h"
#include "hellocnn/weights.h"
#include "server/serving/torch_module.h"
#include "server/serving/warm_up.h"

namespace hellocnn::server {
namespace {

// The engines that `name` allows, the fastest first.
std::vector<EngineCandidate> Candidates(const std::string& name, const Weights& weights,
                                        const Normalization& normalization, int max_batch_size) {
  const auto from_module = [&](auto TorchModule::*factory) {
    return [&, factory, max_batch_size]() -> absl::StatusOr<EngineFactory> {
      const absl::StatusOr<const TorchModule*> module = LoadTorchModule(TorchModulePath());
      if (!module.ok()) return module.status();
      return ((*module)->*factory)(weights, normalization, max_batch_size);
    };
  };
  std::vector<EngineCandidate> candidates = {
      {"simd",
       [&, max_batch_size] { return SimdEngineFactory(weights, normalization, max_batch_size); }},
      {"torch", from_module(&TorchModule::engine_factory)},
      {"torch-eager", from_module(&TorchModule::eager_engine_factory)},
  };
  std::erase_if(candidates, [&](const EngineCandidate& candidate) {
    return name != "auto" && name != candidate.name;
  });
  return candidates;
}

absl::Status StoppedPool() {
  return absl::FailedPreconditionError("the workers have stopped, so no model can be loaded");
}

}  // namespace

ModelLoader::ModelLoader(Options options, BatchDispatcher* dispatcher, Events* events,
                         const Clock* clock, StopCheck stop)
    : options_(std::move(options)),
      dispatcher_(dispatcher),
      events_(events),
      clock_(clock),
      stop_(std::move(stop)) {}

absl::StatusOr<VerifiedModel> ModelLoader::Verify(const std::string& folder) {
  const Instant began = clock_->Now();
  absl::StatusOr<ModelCard> card = LoadModelCard(folder);
  if (!card.ok()) return card.status();
  const absl::StatusOr<Weights> weights = LoadWeightFile(absl::StrCat(folder, "/", card->weights));
  if (!weights.ok()) return weights.status();
  if (absl::Status status = CheckLabelsFit(*card, *weights); !status.ok()) return status;
  spdlog::info("model {} version {} loaded from {}: test accuracy {:.2f}%", card->name,
               card->version, folder, card->test_accuracy * 100);

  absl::StatusOr<NamedEngines> engines = absl::UnknownError("not verified");
  const bool ran = dispatcher_->pool().ForEachWorker([&](int worker) {
    if (worker == 0) {
      engines = SelectEngines(
          Candidates(options_.engine, *weights, card->normalization, options_.queue.max_batch_size),
          ReferenceEngineFactory(*weights, card->normalization), options_.queue.max_batch_size,
          stop_);
    }
    return false;
  });
  if (!ran) return StoppedPool();
  if (!engines.ok()) return engines.status();
  spdlog::info("engine {}", engines->name);
  const ModelId model_id = events_->AddModel({.name = card->name,
                                              .version = card->version,
                                              .engine = engines->name,
                                              .test_accuracy = card->test_accuracy,
                                              .class_labels = card->class_labels});
  const BatchReporter registers_reasons({.events = events_, .model = model_id});
  return VerifiedModel{*std::move(card), *std::move(engines), model_id, began};
}

absl::StatusOr<ServableHandle> ModelLoader::Prepare(const VerifiedModel& model) {
  WorkerPool& pool = dispatcher_->pool();
  const ModelCard& card = model.card;
  // All engines before the first is used: what fails to load must not serve half of the load.
  std::vector<std::unique_ptr<Engine>> engines;
  for (int worker = 0; worker < pool.size(); ++worker) {
    if (stop_ != nullptr && stop_()) return absl::CancelledError("stopped while engines were made");
    absl::StatusOr<std::unique_ptr<Engine>> engine = model.engines.factory();
    if (!engine.ok()) return engine.status();
    engines.push_back(*std::move(engine));
  }
  const absl::StatusOr<BatchQueue*> queue = dispatcher_->AddQueue(options_.queue);
  if (!queue.ok()) return queue.status();
  const Reporting reporting{
      .events = events_, .model = model.id, .normalization = card.normalization};

  WarmUp warm_up(pool.size(), options_.queue.max_batch_size, clock_, stop_);
  const bool ran = pool.ForEachWorker([&](int worker) {
    BatchExecutor& executor = dispatcher_->executor(worker);
    if (executor.engine(*queue) == nullptr) {
      executor.SetEngine(*queue, std::move(engines[static_cast<std::size_t>(worker)]), reporting);
    }
    return warm_up.Step(worker, *executor.engine(*queue));
  });
  if (!ran) return StoppedPool();
  if (absl::Status status = warm_up.status(); !status.ok()) {
    dispatcher_->RemoveQueue(*queue);
    return status;
  }
  return std::make_shared<Servable>(card, model.engines.name, model.id, dispatcher_, *queue);
}

}  // namespace hellocnn::server
