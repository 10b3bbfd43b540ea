// Classifies many images: reads, prepares and sends them at the same time, and hands the results
// over in the order of the images.
#ifndef HELLOCNN_CLI_COMMANDS_CLASSIFICATION_H_
#define HELLOCNN_CLI_COMMANDS_CLASSIFICATION_H_

#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "cli/images/fit.h"
#include "cli/images/image_source.h"
#include "hellocnn/client/client.h"

namespace hellocnn::cli {

struct ClassificationOptions {
  FitOptions fit;
  int workers = 4;  // threads that prepare and send, >= 1
  int batch = 256;  // most images in a call, >= 1
  client::ModelVersion model;
};

// What became of one image.
struct ImageResult {
  SourceImage source;                            // without its bytes
  absl::Status status;                           // of reading, preparing and classifying
  FittedImage fitted;                            // if it could be prepared
  std::optional<client::Prediction> prediction;  // if there is one digit to see
  client::Timing timing;
  absl::Duration took;  // of the call
};

// Receives results in the order of the images, on the caller's thread: as many as are there at
// once. Returns false to end early.
using Receive = std::function<bool(absl::Span<const ImageResult>)>;

// Classifies all images of `source`. Holds a few batches in memory, however many images there are.
// A batch does not wait for names that have not come yet. Blocks. While the queue of the server is
// full, it waits and tries again. Errors of single images are in their results. If a call fails as
// every further call would, with UNAVAILABLE, DEADLINE_EXCEEDED, NOT_FOUND, UNAUTHENTICATED or
// UNIMPLEMENTED, reads no further images and returns that error. RESOURCE_EXHAUSTED: no thread can
// be started.
absl::Status ClassifyAll(const client::Client& client, const client::ModelInfo& model,
                         ImageSource& source, const ClassificationOptions& options,
                         const Receive& receive);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_COMMANDS_CLASSIFICATION_H_
