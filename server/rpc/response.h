// Converts results to the messages of responses. The functions are thread-safe and do not block.
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

// Allocates the log-probabilities of the images, [images.size(), classes of `model`], on `arena`.
std::span<float> LogProbabilitiesFor(std::span<const ImageView> images, const v1::Model& model,
                                     google::protobuf::Arena* arena);

// Replaces the content of `confidences` with the most likely class of each image and its
// probability. `log_probabilities` is row-major, [images, classes]. Allocates only if the capacity
// of `confidences` is too small.
void ListConfidences(std::span<const float> log_probabilities, int classes,
                     std::vector<Confidence>* confidences);

// Writes the response to `response`, which must be empty. The classes, labels and version are those
// of `model`; `log_probabilities` is row-major, [images, classes].
void EncodeClassification(std::span<const float> log_probabilities, const v1::Model& model,
                          const JobTiming& timing, v1::ClassifyResponse* response);

// Writes `status`, which must not be OK, to `error`, as the protocol defines it.
void EncodeError(const absl::Status& status, v1::StreamError* error);

// Returns the description for GetModel of the card's model, with the layer table.
v1::Model DescribeModel(const ModelCard& card);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_RESPONSE_H_
