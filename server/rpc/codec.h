// Between protobuf messages and the types of the rest of the server. All validation of input is
// here. Functions are thread-safe and do not block.
#ifndef HELLOCNN_SERVER_RPC_CODEC_H_
#define HELLOCNN_SERVER_RPC_CODEC_H_

#include <google/protobuf/arena.h>

#include <span>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hellocnn/image.h"
#include "hellocnn/model_card.h"
#include "hellocnn/prediction.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "server/batching/job.h"

namespace hellocnn::server {

// Views of the pixels in `images`, which must outlive them; no pixel is copied. The views are on
// `arena`. INVALID_ARGUMENT names the image, what was found and what was wanted: no image, more
// than `max_images`, pixels unset, of the wrong size or not finite.
absl::StatusOr<std::span<ImageView>> DecodeImages(
    const google::protobuf::RepeatedPtrField<v1::Image>& images, int max_images,
    google::protobuf::Arena* arena);

// Room for what is computed of them.
std::span<Prediction> PredictionsFor(std::span<const ImageView> images,
                                     google::protobuf::Arena* arena);

// The timeout of a stream's request; InfiniteDuration if it is unset. INVALID_ARGUMENT: out of
// Duration's range or not > 0.
absl::StatusOr<absl::Duration> DecodeTimeout(const v1::ClassifyStreamRequest& request);

// Writes the answer to `response`, which must be empty. The labels and version are those of
// `model`.
void EncodeClassification(std::span<const Prediction> predictions, const v1::Model& model,
                          const JobTiming& timing, v1::ClassifyResponse* response);

// Writes the error, which must not be OK, as the protocol has it.
void EncodeError(const absl::Status& status, v1::StreamError* error);

// What GetModel says of the card's model and of the layer table.
v1::Model DescribeModel(const ModelCard& card);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CODEC_H_
