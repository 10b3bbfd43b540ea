// Converts between the client's value types and protobuf messages. All functions are thread-safe
// and do not block.
#ifndef HELLOCNN_CLIENT_CONVERT_H_
#define HELLOCNN_CLIENT_CONVERT_H_

#include <grpcpp/support/status.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "hellocnn/client/client.h"
#include "hellocnn/v1/classifier_service.pb.h"

namespace hellocnn::client {

// Returns a status with the same code. The messages of UNAVAILABLE and UNAUTHENTICATED name
// `target` and say what to do.
absl::Status FromGrpc(const grpc::Status& status, const std::string& target);

// Returns `status`, unless it is the one that gRPC itself gives to a cancelled call, which does not
// say by whom. If the client has cancelled the call, returns CANCELLED and says so. Otherwise gRPC
// in the server has, as it does with calls that arrive while it shuts down. That is UNAVAILABLE,
// for which callers are prepared.
absl::Status NameCanceller(absl::Status status, bool client, const std::string& target);

// Adds `images` to a request. Fails with INVALID_ARGUMENT if there are none.
absl::Status AddImages(absl::Span<const Image> images,
                       google::protobuf::RepeatedPtrField<v1::Image>& out);

// Returns `timeout`, or `fallback` if it is unset. Fails with INVALID_ARGUMENT if that is not > 0.
absl::StatusOr<absl::Duration> TimeoutOr(std::optional<absl::Duration> timeout,
                                         absl::Duration fallback);

google::protobuf::Duration ToProto(absl::Duration duration);
v1::Priority ToProto(Priority priority);

// Sets the model of a request. Leaves it unset if `model` is empty.
template <typename Request>
void SetModel(const ModelVersion& model, Request& request) {
  if (model.empty()) return;
  request.mutable_model()->set_name(model.name);
  request.mutable_model()->set_version(model.version);
}

// Returns the content of a response. Fails with INTERNAL if the response breaks the protocol, or if
// `images` is set and is not the number of predictions.
absl::StatusOr<ClassifyResult> FromProto(const v1::ClassifyResponse& response,
                                         std::optional<int> images);
absl::StatusOr<ModelInfo> FromProto(const v1::GetModelResponse& response);
ModelVersion FromProto(const v1::ModelVersion& version);
std::vector<ModelStatus> FromProto(const v1::ListModelsResponse& response);
StreamAnswer FromProto(const v1::ClassifyStreamResponse& response);

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CONVERT_H_
