// Converts results to the messages of responses. The functions are thread-safe and do not block.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFIER_V1_RESPONSE_H_
#define HELLOCNN_SERVER_RPC_CLASSIFIER_V1_RESPONSE_H_

#include "absl/status/status.h"
#include "hellocnn/model_card.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "server/rpc/core/codec.h"

namespace hellocnn::server {

// Writes the response to `response`, which must be empty.
void EncodeClassification(const Classification& classification, v1::ClassifyResponse* response);

// Writes `status` and its RetryDelay to `error`. Its code must be one that the protocol lists, and
// not OK.
void EncodeError(const absl::Status& status, v1::StreamError* error);

// Returns the description for GetModel of the card's model, with the layer table.
v1::Model DescribeModel(const ModelCard& card);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFIER_V1_RESPONSE_H_
