// The codecs of inference.GRPCInferenceService.
#ifndef HELLOCNN_SERVER_RPC_OPEN_INFERENCE_CODEC_H_
#define HELLOCNN_SERVER_RPC_OPEN_INFERENCE_CODEC_H_

#include <google/protobuf/arena.h>

#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "inference/open_inference.pb.h"
#include "server/rpc/core/arena_message.h"
#include "server/rpc/core/codec.h"
#include "server/rpc/open_inference/infer_request.h"
#include "server/rpc/open_inference/infer_response.h"
#include "server/rpc/transport/messages.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

// What both codecs have. See Codec for the contracts.
template <typename Response>
class InferCodec {
 public:
  absl::StatusOr<Request> Read(Message* message, int max_images) {
    return request_.Read(message, max_images, arena());
  }
  absl::Status Fit(const ModelCard& card, std::span<ImageView> images) {
    return request_.Fit(card, images, arena());
  }
  google::protobuf::Arena* arena() { return response_.arena(); }
  void Write(Message* message) {
    Serialize(*response_, message);
    Clear();
  }
  void Clear() {
    request_.Clear();
    response_.Clear();
  }

 protected:
  InferRequest request_;
  ArenaMessage<Response> response_;
};

class ModelInferCodec : public InferCodec<inference::ModelInferResponse> {
 public:
  void Encode(const Classification& classification) {
    EncodeInference(classification, request_, response_.get());
  }
};

class ModelStreamInferCodec : public InferCodec<inference::ModelStreamInferResponse> {
 public:
  // As Triton sends them. Not every client gives its requests an id.
  static constexpr bool kInOrder = true;

  void Encode(const Classification& classification) {
    EncodeInference(classification, request_, response_->mutable_infer_response());
  }
  void EncodeError(const absl::Status& status) {
    response_->set_error_message(std::string(status.message()));
    response_->mutable_infer_response()->set_id(request_.id().data(), request_.id().size());
  }
};

static_assert(Codec<ModelInferCodec>);
static_assert(StreamCodec<ModelStreamInferCodec>);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_OPEN_INFERENCE_CODEC_H_
