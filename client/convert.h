// Between the client's value types and messages. All functions are thread-safe and do not block.
#ifndef HELLOCNN_CLIENT_CONVERT_H_
#define HELLOCNN_CLIENT_CONVERT_H_

#include <grpcpp/support/status.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "hellocnn/client/client.h"
#include "hellocnn/v1/classifier_service.pb.h"

namespace hellocnn::client {

// The same code; for UNAVAILABLE the message names `target` and says what to do.
absl::Status FromGrpc(const grpc::Status& status, const std::string& target);

// Adds `images` to a request. INVALID_ARGUMENT: there are none.
absl::Status AddImages(absl::Span<const Image> images,
                       google::protobuf::RepeatedPtrField<v1::Image>& out);

// `timeout`, or `fallback` if unset. INVALID_ARGUMENT: not > 0.
absl::StatusOr<absl::Duration> TimeoutOr(std::optional<absl::Duration> timeout,
                                         absl::Duration fallback);

google::protobuf::Duration ToProto(absl::Duration duration);

// INTERNAL: an answer that breaks the protocol, or not one prediction for each of `images`, if
// given.
absl::StatusOr<ClassifyResult> FromProto(const v1::ClassifyResponse& response,
                                         std::optional<int> images);
absl::StatusOr<ModelInfo> FromProto(const v1::GetModelResponse& response);
StreamAnswer FromProto(const v1::ClassifyStreamResponse& response);

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CONVERT_H_
