// From a folder with a model to a servable: a model begins to serve here.
#ifndef HELLOCNN_SERVER_SERVING_MODEL_LOADER_H_
#define HELLOCNN_SERVER_SERVING_MODEL_LOADER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "hellocnn/model_card.h"
#include "hellocnn/repository/model_repository.h"
#include "hellocnn/weights.h"
#include "server/observability/events.h"
#include "server/scheduling/batch_queue.h"
#include "server/serving/batch_dispatcher.h"
#include "server/serving/engine_selection.h"
#include "server/serving/servable.h"

namespace hellocnn::server {

// A model whose files are good and whose engine agrees with the reference.
struct VerifiedModel {
  ModelCard card;  // compared with the weights
  NamedEngines engines;
  ModelId id{};         // what events know it by
  std::string content;  // of the files: see ContentOf
  Instant load_began;
  std::shared_ptr<const Weights> weights;
};

// Returns what tells the content of two versions apart: the SHA-256 of the card, if there is one,
// of each file that the weights consist of, and of the golden images, if the card has some. Blocks
// while it reads them. The errors are those of LoadModelCard, FilesOfWeights and Sha256OfFile.
absl::StatusOr<std::string> ContentOf(const VersionFolder& folder);

// Loads models in two steps, so that a server can find out what is wrong with a model before it
// opens a port. Both block, and obey `stop` between two batches
// and between two engines that are made.
//
// Thread-compatible. Must not be used on a worker's thread.
class ModelLoader {
 public:
  struct Options {
    std::string engine = "auto";  // "auto" or the name of an engine: "simd", "torch", "torch-eager"
    BatchQueue::Options queue;    // of each model
    bool allow_degenerate = false;  // serves a model that gives every image the same class
  };

  // `dispatcher`, whose workers will compute, `events` and `clock` outlive the loader and what it
  // makes. `stop` may be null.
  ModelLoader(Options options, BatchDispatcher* dispatcher, Events* events, const Clock* clock,
              StopCheck stop);

  // Reads the card and the weights of `folder`, and selects the engine: the first that agrees with
  // the network in plain loops and double precision. The engine is verified on a worker's thread,
  // in the floating-point mode in which it will serve, and between the events of that worker.
  // LibTorch is loaded only if its engines are wanted.
  //
  // The folder says the name and the version of the model, whatever the card says.
  //
  // Tells events the labels of a model that is good, and which kinds of batches and drops there
  // are, so that every series of metrics is there before the first request.
  //
  // If the card has golden images, the engine classifies them, and must find what the card says.
  //
  // Logs what was changed in the weights, and warns of a card that was written for other weights.
  //
  // The errors are those of LoadModelCard, LoadWeightFile, CheckStaysFinite, SelectEngines,
  // LoadGoldenImages and CheckGoldenImage.
  // FAILED_PRECONDITION: the card and the weights have different numbers of classes, the model
  // gives all images of the verification the same class, the card was written for other weights and
  // the folder wants a match, there is no LibTorch, or the workers have stopped. UNAVAILABLE: the
  // files have changed while they were read. CANCELLED: stopped.
  absl::StatusOr<VerifiedModel> Verify(const VersionFolder& folder);

  // Makes an engine for each worker and warms it up there, between the worker's events; adds a
  // queue; and returns what can be published. The errors are those of the engines and of
  // BatchDispatcher::AddQueue. CANCELLED: stopped. FAILED_PRECONDITION: the
  // workers have stopped. After an error the workers and the dispatcher are as they were.
  absl::StatusOr<ServableHandle> Prepare(const VerifiedModel& model);

 private:
  // Runs `step` on a worker, between its events, until it returns false. Returns false if the
  // workers have stopped.
  bool RunOnWorker(const std::function<bool()>& step);
  absl::Status CheckGolden(const ModelCard& card, const std::vector<std::uint8_t>& pixels,
                           const NamedEngines& engines);

  const Options options_;
  BatchDispatcher* const dispatcher_;
  Events* const events_;
  const Clock* const clock_;
  const StopCheck stop_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_MODEL_LOADER_H_
