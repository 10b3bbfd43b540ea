// The seam between serving and arithmetic.
#ifndef HELLOCNN_ENGINE_H_
#define HELLOCNN_ENGINE_H_

#include <functional>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/image.h"
#include "hellocnn/prediction.h"

namespace hellocnn {

// Runs the network. An engine holds its weights and its scratch memory.
//
// Thread-compatible: one thread at a time. Make one engine a worker thread.
class Engine {
 public:
  virtual ~Engine() = default;

  // Classifies images[i] into predictions[i]. Blocks until done and uses no thread but the
  // caller's. Both spans have the same length, at least 1. A prediction depends only on its own
  // image. INVALID_ARGUMENT: one of the results is not finite (CheckFinite). INTERNAL: the
  // arithmetic failed. All predictions are then unspecified.
  virtual absl::Status Classify(std::span<const ImageView> images,
                                std::span<Prediction> predictions) = 0;
};

// Makes a further engine of the same kind with the same weights. Thread-safe.
using EngineFactory = std::function<absl::StatusOr<std::unique_ptr<Engine>>()>;

}  // namespace hellocnn

#endif  // HELLOCNN_ENGINE_H_
