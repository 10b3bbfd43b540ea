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
#include "hellocnn/prediction.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "server/observability/events.h"
#include "server/scheduling/job.h"

namespace hellocnn::server {

// Room for what is computed of the images.
std::span<Prediction> PredictionsFor(std::span<const ImageView> images,
                                     google::protobuf::Arena* arena);

// Writes each image's most likely class and its probability to `confidences`, in place of what it
// holds. Allocates only if it has no room for them.
void ListConfidences(std::span<const Prediction> predictions, std::vector<Confidence>* confidences);

// Writes the answer to `response`, which must be empty. The labels and version are those of
// `model`.
void EncodeClassification(std::span<const Prediction> predictions, const v1::Model& model,
                          const JobTiming& timing, v1::ClassifyResponse* response);

// Writes the error, which must not be OK, as the protocol has it.
void EncodeError(const absl::Status& status, v1::StreamError* error);

// What GetModel says of the card's model and of the layer table.
v1::Model DescribeModel(const ModelCard& card);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_RESPONSE_H_
