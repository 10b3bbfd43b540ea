// The interface between serving and arithmetic, which every implementation of the network has.
#ifndef HELLOCNN_ENGINE_H_
#define HELLOCNN_ENGINE_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/image.h"
#include "hellocnn/prediction.h"

namespace hellocnn {

// Runs the network. An engine owns its scratch memory. Engines of one factory may share weights.
//
// Thread-compatible: only one thread at a time may call an engine. A server makes one engine for
// each worker thread.
class Engine {
 public:
  virtual ~Engine() = default;

  // Returns the network's number of classes, which its weights decide: kMinClasses to kMaxClasses.
  // It never changes.
  virtual int classes() const = 0;

  // Classifies one image or more. Blocks until it is done, and uses only the caller's thread.
  //
  // `log_probabilities` is row-major, [images.size(), classes()]: row i belongs to images[i].
  // `statuses` has one status for each image, and the call sets all of them:
  //   OK: the row holds the natural logarithms of the probabilities, all finite.
  //   INVALID_ARGUMENT: the row is not finite, because the image's pixels are too large or not
  //     numbers. The content of the row is unspecified.
  //   INTERNAL: the arithmetic failed. The content of the row is unspecified.
  //
  // A row and its status depend only on their own image, not on the rest of the batch.
  //
  // Spans of the wrong size, or more images than the engine was made for, are a programming error.
  // Every status is then INVALID_ARGUMENT, and nothing else is written.
  virtual void Classify(std::span<const ImageView> images, std::span<float> log_probabilities,
                        std::span<absl::Status> statuses) = 0;
};

// Makes another engine of the same kind with the same weights. Thread-safe.
using EngineFactory = std::function<absl::StatusOr<std::unique_ptr<Engine>>()>;

// Returns true if the spans have the sizes that `classes` requires and there are 1 to
// `max_batch_size` images. Otherwise sets every status to an INVALID_ARGUMENT that says so.
// Implementations of Engine::Classify call it first.
bool CheckBatch(int classes, std::size_t max_batch_size, std::span<const ImageView> images,
                std::span<const float> log_probabilities, std::span<absl::Status> statuses);

}  // namespace hellocnn

#endif  // HELLOCNN_ENGINE_H_
