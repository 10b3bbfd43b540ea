// The codecs of hellocnn.v1.ClassifierService.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFIER_V1_CODEC_H_
#define HELLOCNN_SERVER_RPC_CLASSIFIER_V1_CODEC_H_

#include <google/protobuf/arena.h>

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "server/rpc/classifier_v1/request_reader.h"
#include "server/rpc/classifier_v1/response.h"
#include "server/rpc/core/arena_message.h"
#include "server/rpc/core/codec.h"
#include "server/rpc/transport/messages.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

// See Codec for the contracts of both.
class ClassifyCodec {
 public:
  absl::StatusOr<Request> Read(Message* message, int max_images) {
    return ReadRequest<v1::ClassifyRequest>({message->Pieces(), message->size()}, max_images,
                                            arena());
  }
  google::protobuf::Arena* arena() { return response_.arena(); }
  void Encode(const Classification& classification) {
    EncodeClassification(classification, response_.get());
  }
  void Write(Message* message) {
    Serialize(*response_, message);
    Clear();
  }
  void Clear() { response_.Clear(); }

 private:
  ArenaMessage<v1::ClassifyResponse> response_;
};

class ClassifyStreamCodec {
 public:
  absl::StatusOr<Request> Read(Message* message, int max_images) {
    return ReadRequest<v1::ClassifyStreamRequest>({message->Pieces(), message->size()}, max_images,
                                                  arena(), &id_);
  }
  google::protobuf::Arena* arena() { return response_.arena(); }
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
  void Clear() { response_.Clear(); }

 private:
  std::uint64_t id_ = 0;  // of the request, for its response
  ArenaMessage<v1::ClassifyStreamResponse> response_;
};

static_assert(Codec<ClassifyCodec>);
static_assert(StreamCodec<ClassifyStreamCodec>);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFIER_V1_CODEC_H_
