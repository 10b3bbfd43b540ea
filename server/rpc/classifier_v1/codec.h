// The codecs of hellocnn.v1.ClassifierService.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFIER_V1_CODEC_H_
#define HELLOCNN_SERVER_RPC_CLASSIFIER_V1_CODEC_H_

#include <google/protobuf/arena.h>

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "server/rpc/classifier_v1/image_contents.h"
#include "server/rpc/classifier_v1/request_reader.h"
#include "server/rpc/classifier_v1/response.h"
#include "server/rpc/core/arena_message.h"
#include "server/rpc/core/codec.h"
#include "server/rpc/transport/messages.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

// What both codecs have. See Codec for the contracts.
template <typename Request, typename Response>
class ClassifierCodec {
 public:
  absl::StatusOr<server::Request> Read(Message* message, int max_images) {
    return ReadRequest<Request>({message->Pieces(), message->size()}, max_images, arena(),
                                &contents_, &id_);
  }
  absl::Status Fit(const ModelCard& card, std::span<ImageView> images) {
    return FitContents(card, contents_, images, arena());
  }
  google::protobuf::Arena* arena() { return response_.arena(); }
  void Clear() {
    contents_.clear();
    response_.Clear();
  }

 protected:
  std::uint64_t id_ = 0;  // of the request, for its response
  std::vector<ImageContent> contents_;
  ArenaMessage<Response> response_;
};

class ClassifyCodec : public ClassifierCodec<v1::ClassifyRequest, v1::ClassifyResponse> {
 public:
  void Encode(const Classification& classification) {
    EncodeClassification(classification, response_.get());
  }
  void Write(Message* message) {
    Serialize(*response_, message);
    Clear();
  }
};

class ClassifyStreamCodec
    : public ClassifierCodec<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse> {
 public:
  void Encode(const Classification& classification) {
    EncodeClassification(classification, response_->mutable_result());
  }
  void EncodeError(const absl::Status& status) {
    hellocnn::server::EncodeError(status, response_->mutable_error());
  }
  void Write(Message* message) {
    response_->set_id(id_);
    Serialize(*response_, message);
    Clear();
  }
};

static_assert(Codec<ClassifyCodec>);
static_assert(StreamCodec<ClassifyStreamCodec>);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFIER_V1_CODEC_H_
