#include "server/serving/model_loader.h"

#include <spdlog/spdlog.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/shown.h"
#include "hellocnn/formats/checksum.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/golden_images.h"
#include "hellocnn/reference/reference_engine.h"
#include "hellocnn/simd/simd_engine.h"
#include "hellocnn/weight_bounds.h"
#include "hellocnn/weights.h"
#include "server/serving/torch_module.h"
#include "server/serving/warm_up.h"

namespace hellocnn::server {
namespace {

constexpr char kCardFile[] = "/model_card.json";

// Weights have some 250 kB, and a checkpoint has more beside them. Reading a larger file to its end
// would take long.
constexpr std::uintmax_t kMostWeightBytes = std::uintmax_t{1} << 30;

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

// Rejects a network that takes no notice of its images.
absl::Status CheckNotDegenerate(const std::string& folder, const ModelCard& card,
                                const NamedEngines& engines) {
  if (!engines.only_class.has_value()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      folder, ": the model gives every image of the verification the class ",
      Shown(card.class_labels[static_cast<std::size_t>(*engines.only_class)]),
      "; wanted different classes for different images. The weights may be untrained or of another "
      "model; --allow-degenerate-model=on serves them nevertheless"));
}

std::string WeightsOf(const VersionFolder& folder, const ModelCard& card) {
  return absl::StrCat(folder.path, "/", card.weights);
}

// Returns the SHA-256 of each file that the weights consist of.
absl::StatusOr<std::string> ContentOfWeights(const std::string& path) {
  const absl::StatusOr<std::vector<std::string>> files = FilesOfWeights(path);
  if (!files.ok()) return files.status();
  std::vector<std::string> checksums;
  for (const std::string& file : *files) {
    std::error_code error;
    const std::uintmax_t size = std::filesystem::file_size(file, error);
    if (!error && size > kMostWeightBytes) {
      return absl::InvalidArgumentError(absl::StrCat(
          file, ": has ", size, " bytes; wanted at most ", kMostWeightBytes, ", as weights have"));
    }
    const absl::StatusOr<std::string> sha256 = Sha256OfFile(file);
    if (!sha256.ok()) return sha256.status();
    checksums.push_back(*sha256);
  }
  return absl::StrJoin(checksums, " ");
}

std::string AccuracyInWords(const ModelCard& card) {
  if (!card.test_accuracy.has_value()) return "test accuracy not measured";
  return absl::StrFormat("test accuracy %.2f%%%s", 100 * *card.test_accuracy,
                         card.of_other_weights ? " of other weights" : "");
}

// Sets the name and the version that the folder has.
void TakeIdentity(const VersionFolder& folder, ModelCard* card) {
  if (card->name != folder.model || card->version != folder.version) {
    spdlog::info("{}: the card is of model {}, version {}; served as model {}, version {}",
                 folder.path, Shown(card->name), Shown(card->version), Shown(folder.model),
                 Shown(folder.version));
  }
  card->name = folder.model;
  card->version = folder.version;
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

absl::StatusOr<std::string> ContentOf(const VersionFolder& folder) {
  if (folder.is_weight_file) return ContentOfWeights(folder.path);
  const absl::StatusOr<ModelCard> card = LoadModelCard(folder.path);
  if (!card.ok()) return card.status();
  const absl::StatusOr<std::string> of_card = Sha256OfFile(folder.path + kCardFile);
  if (!of_card.ok()) return of_card.status();
  const absl::StatusOr<std::string> of_weights = ContentOfWeights(WeightsOf(folder, *card));
  if (!of_weights.ok()) return of_weights.status();
  if (!card->golden.has_value()) return absl::StrCat(*of_card, " ", *of_weights);
  const absl::StatusOr<std::string> of_golden =
      Sha256OfFile(absl::StrCat(folder.path, "/", card->golden->images));
  if (!of_golden.ok()) return of_golden.status();
  return absl::StrCat(*of_card, " ", *of_weights, " ", *of_golden);
}

absl::StatusOr<VerifiedModel> ModelLoader::Verify(const VersionFolder& folder) {
  const Instant began = clock_->Now();
  // The files are read one after the other, and must not be replaced in between.
  const absl::StatusOr<std::string> content_before = ContentOf(folder);
  absl::StatusOr<ModelCard> card;
  if (!folder.is_weight_file) {
    card = LoadModelCard(folder.path);
    if (!card.ok()) return card.status();
  }
  const std::string path = folder.is_weight_file ? folder.path : WeightsOf(folder, *card);
  std::vector<std::string> notes;
  absl::StatusOr<Weights> loaded = LoadWeightFile(path, &notes);
  if (!loaded.ok()) return loaded.status();
  const auto weights = std::make_shared<const Weights>(*std::move(loaded));
  const absl::StatusOr<std::string> sha256 = Sha256OfFile(path);
  if (!sha256.ok()) return sha256.status();
  std::vector<std::uint8_t> golden;
  if (!folder.is_weight_file && card->golden.has_value()) {
    absl::StatusOr<std::vector<std::uint8_t>> images = LoadGoldenImages(folder.path, *card);
    if (!images.ok()) return images.status();
    golden = *std::move(images);
  }
  absl::StatusOr<std::string> content = ContentOf(folder);
  if (!content.ok()) return content.status();
  if (!content_before.ok() || *content != *content_before) {
    return absl::UnavailableError(
        absl::StrCat(folder.path, ": the files have changed while they were read"));
  }
  if (folder.is_weight_file) {
    card = CardWithDefaults(path, weights->classes(), *sha256);
    spdlog::warn(
        "{} has no model card: it is served with the labels 0 to {}, with MNIST's "
        "preprocessing, and nobody knows how accurate it is",
        path, weights->classes() - 1);
  }
  TakeIdentity(folder, &*card);
  if (const std::string difference = CompareWithWeights(*sha256, *card); !difference.empty()) {
    if (folder.must_match_card) {
      return absl::FailedPreconditionError(absl::StrCat(folder.path, ": ", difference));
    }
    spdlog::warn("{}: {}", folder.path, difference);
  }
  for (const std::string& note : notes) spdlog::info("{}", note);
  if (absl::Status status = CheckLabelsFit(*card, *weights); !status.ok()) return status;
  if (absl::Status status = CheckStaysFinite(*weights, card->normalization); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(folder.path, ": ", status.message()));
  }
  spdlog::info("model {} version {} loaded from {}: {}", card->name, card->version, folder.path,
               AccuracyInWords(*card));

  absl::StatusOr<NamedEngines> engines = SelectEngines(
      Candidates(options_.engine, *weights, card->normalization, options_.queue.max_batch_size),
      ReferenceEngineFactory(*weights, card->normalization), options_.queue.max_batch_size, stop_,
      [this](const std::function<bool()>& step) { return RunOnWorker(step); });
  if (absl::IsNotFound(engines.status())) {  // of the module, and not of the model
    return absl::FailedPreconditionError(std::string(engines.status().message()));
  }
  if (!engines.ok()) return engines.status();
  if (absl::Status status = CheckNotDegenerate(folder.path, *card, *engines); !status.ok()) {
    if (!options_.allow_degenerate) return status;
    spdlog::warn("{}", std::string(status.message()));
  }
  if (absl::Status status = CheckGolden(*card, golden, *engines); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat(folder.path, ": ", status.message()));
  }
  spdlog::info("engine {}", engines->name);
  const ModelId model_id = events_->AddModel({.name = card->name,
                                              .version = card->version,
                                              .engine = engines->name,
                                              .test_accuracy = card->test_accuracy,
                                              .card_of_other_weights = card->of_other_weights,
                                              .class_labels = card->class_labels});
  const BatchReporter registers_reasons({.events = events_, .model = model_id});
  return VerifiedModel{*std::move(card), *std::move(engines), model_id, *std::move(content), began,
                       weights};
}

bool ModelLoader::RunOnWorker(const std::function<bool()>& step) {
  return dispatcher_->pool().ForEachWorker([&step](int worker) { return worker == 0 && step(); });
}

absl::Status ModelLoader::CheckGolden(const ModelCard& card,
                                      const std::vector<std::uint8_t>& pixels,
                                      const NamedEngines& engines) {
  const std::size_t images = pixels.size() / kImagePixels;
  if (images == 0) return absl::OkStatus();
  const absl::StatusOr<std::unique_ptr<Engine>> engine = engines.factory();
  if (!engine.ok()) return engine.status();
  std::size_t next = 0;
  absl::Status status;
  const bool ran = RunOnWorker([&] {
    if (stop_ != nullptr && stop_()) {
      status = absl::CancelledError("stopped while golden images were checked");
    } else {
      status = CheckGoldenImage(card, pixels, next++, **engine);
    }
    return status.ok() && next < images;
  });
  if (!ran) return StoppedPool();
  if (status.ok()) spdlog::info("all {} golden images are as the model card says", images);
  return status;
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
  const absl::StatusOr<BatchQueue*> queue = dispatcher_->AddQueue(options_.queue, model.id);
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
  return std::make_shared<Servable>(card, model.engines.name, model.id, dispatcher_, *queue,
                                    model.content, model.weights);
}

}  // namespace hellocnn::server
