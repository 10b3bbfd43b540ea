// Converts results to ModelInferResponse. Thread-safe; nothing blocks.
#ifndef HELLOCNN_SERVER_RPC_OPEN_INFERENCE_INFER_RESPONSE_H_
#define HELLOCNN_SERVER_RPC_OPEN_INFERENCE_INFER_RESPONSE_H_

#include "inference/open_inference.pb.h"
#include "server/rpc/core/codec.h"
#include "server/rpc/open_inference/infer_request.h"

namespace hellocnn::server {

// Writes the outputs that `request` asks for to `response`, which must be empty. They are raw,
// whatever the images were: clients of Triton look nowhere else.
void EncodeInference(const Classification& classification, const InferRequest& request,
                     inference::ModelInferResponse* response);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_OPEN_INFERENCE_INFER_RESPONSE_H_
