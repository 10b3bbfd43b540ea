// From the types of the rest of the server to answers. Functions are thread-safe and do not block.
#ifndef HELLOCNN_SERVER_RPC_RESPONSE_H_
#define HELLOCNN_SERVER_RPC_RESPONSE_H_

#include <google/protobuf/arena.h>

#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "hellocnn/image.h"
#include "hellocnn/model_card.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "server/observability/events.h"
#include "server/scheduling/job.h"

namespace hellocnn::server {

// Returns room for the log-probabilities of the images, [images.size(), classes of `model`].
std::span<float> LogProbabilitiesFor(std::span<const ImageView> images, const v1::Model& model,
                                     google::protobuf::Arena* arena);

// Writes each image's most likely class and its probability to `confidences`, in place of what it
// holds. `log_probabilities` is row-major, [images, classes]. Allocates only if it has no room.
void ListConfidences(std::span<const float> log_probabilities, int classes,
                     std::vector<Confidence>* confidences);

// Writes the response to `response`, which must be empty. The classes, labels and version are those
// of `model`; `log_probabilities` is row-major, [images, classes].
void EncodeClassification(std::span<const float> log_probabilities, const v1::Model& model,
                          const JobTiming& timing, v1::ClassifyResponse* response);

// Writes the error, which must not be OK, as the protocol has it.
void EncodeError(const absl::Status& status, v1::StreamError* error);

// What GetModel says of the card's model and of the layer table.
v1::Model DescribeModel(const ModelCard& card);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_RESPONSE_H_
