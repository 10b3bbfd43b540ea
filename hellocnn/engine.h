// The seam between serving and arithmetic: what every implementation of the network offers.
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

// Runs the network. An engine owns its scratch memory; engines of one factory may share weights.
//
// Thread-compatible: one thread at a time. A server makes one engine for each worker thread.
class Engine {
 public:
  virtual ~Engine() = default;

  // Returns how many classes the network tells apart, which its weights decide: kMinClasses to
  // kMaxClasses. Never changes.
  virtual int classes() const = 0;

  // Classifies the images, at least one. Blocks until done and uses no thread but the caller's.
  //
  // `log_probabilities` is row-major, [images.size(), classes()]: row i belongs to images[i].
  // `statuses` has one status for each image, and all of them are set:
  //   OK: the row holds the natural logarithms of the probabilities, all finite.
  //   INVALID_ARGUMENT: the row is not finite, because the image's pixels are too large or not
  //     numbers. The row's content is unspecified.
  //   INTERNAL: the arithmetic failed. The row's content is unspecified.
  //
  // A row and its status depend on their own image only, and not on the rest of the batch.
  //
  // Spans of the wrong size, or more images than the engine was made for, are a programming error:
  // every status is then INVALID_ARGUMENT, and nothing else is written.
  virtual void Classify(std::span<const ImageView> images, std::span<float> log_probabilities,
                        std::span<absl::Status> statuses) = 0;
};

// Makes a further engine of the same kind with the same weights. Thread-safe.
using EngineFactory = std::function<absl::StatusOr<std::unique_ptr<Engine>>()>;

// For implementations of Engine::Classify. Returns true if the spans have the sizes that `classes`
// wants and there are 1 to `max_batch_size` images. Otherwise says so in every status.
bool CheckBatch(int classes, std::size_t max_batch_size, std::span<const ImageView> images,
                std::span<const float> log_probabilities, std::span<absl::Status> statuses);

}  // namespace hellocnn

#endif  // HELLOCNN_ENGINE_H_
