// The inference requests and responses of the Open Inference Protocol over HTTP: JSON, and JSON
// with binary tensors after it.
// https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
// https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
#ifndef HELLOCNN_SERVER_RPC_REST_INFER_JSON_H_
#define HELLOCNN_SERVER_RPC_REST_INFER_JSON_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "inference/open_inference.pb.h"
#include "server/http/http_server.h"

namespace hellocnn::server {

inline constexpr char kHeaderLength[] = "inference-header-content-length";

struct InferCall {
  inference::ModelInferRequest request;  // without the model
  // Which outputs come as bytes after the JSON: the default, and what is said of single ones.
  bool binary = false;
  std::map<std::string, bool> binary_by_output;

  bool IsBinary(const std::string& output) const;
};

// Reads the body of a request. INVALID_ARGUMENT says what is wrong with it.
absl::StatusOr<InferCall> ReadInferCall(const HttpRequest& http);

// Makes the response of `call`.
HttpResponse WriteInferResponse(const inference::ModelInferResponse& response,
                                const InferCall& call);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_REST_INFER_JSON_H_
