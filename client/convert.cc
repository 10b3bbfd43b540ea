#include "client/convert.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace hellocnn::client {
namespace {

constexpr int kMinClasses = 2;
constexpr int kMaxClasses = 1024;

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Status Broken(const std::string& what) {
  return absl::InternalError(absl::StrCat("the server's response breaks the protocol: ", what));
}

// Returns what to do if the server is not available, by what gRPC says. BoringSSL and OpenSSL word
// the same errors a little differently.
const char* Advice(const std::string& message) {
  const std::string text = absl::StrReplaceAll(absl::AsciiStrToLower(message), {{"_", " "}});
  if (absl::StrContains(text, "wrong version number")) {
    return "the server does not speak TLS: leave --tls (ClientOptions::tls) out";
  }
  if (absl::StrContains(text, "certificate verify failed")) {
    return "no authority that is trusted has signed the server's certificate: name one with "
           "--tls-ca (TlsOptions::ca_certificates)";
  }
  if (absl::StrContains(text, "hostname verification check failed") ||
      absl::StrContains(text, "not in peer certificate")) {
    return "the server's certificate does not name this host: use a name that it does name";
  }
  if (absl::StrContains(text, "alpn")) {
    return "the server speaks TLS, but not gRPC: check the address";
  }
  if (absl::StrContains(text, "dns resolution failed")) {
    return "the name does not resolve: check its spelling, or use an address";
  }
  return "check the address and that the server runs and is ready, then retry";
}

Rollout FromProto(const v1::Rollout& rollout) {
  Rollout::Mode mode = Rollout::Mode::kUnknown;
  if (rollout.mode() == v1::Rollout::MODE_SHADOW) mode = Rollout::Mode::kShadow;
  if (rollout.mode() == v1::Rollout::MODE_CANARY) mode = Rollout::Mode::kCanary;
  return {mode, rollout.share()};
}

ModelState FromProto(v1::ModelStatus::State state) {
  switch (state) {
    case v1::ModelStatus::STATE_LOADING:
      return ModelState::kLoading;
    case v1::ModelStatus::STATE_SERVING:
      return ModelState::kServing;
    case v1::ModelStatus::STATE_DRAINING:
      return ModelState::kDraining;
    case v1::ModelStatus::STATE_FAILED:
      return ModelState::kFailed;
    case v1::ModelStatus::STATE_STANDBY:
      return ModelState::kStandby;
    case v1::ModelStatus::STATE_ROLLED_BACK:
      return ModelState::kRolledBack;
    default:
      return ModelState::kUnknown;
  }
}

absl::Status CheckClasses(const char* what, int count) {
  if (count >= kMinClasses && count <= kMaxClasses) return absl::OkStatus();
  return Broken(absl::StrCat("it has ", count, " ", what, "; a model has ", kMinClasses, " to ",
                             kMaxClasses, " classes"));
}

}  // namespace

absl::Status FromGrpc(const grpc::Status& status, const std::string& target) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  if (code == absl::StatusCode::kUnavailable) {
    return absl::UnavailableError(absl::StrCat("the server at ", target,
                                               " is not available: ", status.error_message(), "; ",
                                               Advice(status.error_message())));
  }
  if (code == absl::StatusCode::kDeadlineExceeded) {
    return absl::DeadlineExceededError(absl::StrCat("no response from the server at ", target,
                                                    " in time: ", status.error_message()));
  }
  if (code == absl::StatusCode::kUnauthenticated) {
    return absl::UnauthenticatedError(absl::StrCat(
        "the server at ", target, " wants a token that it knows: ", status.error_message(),
        "; name the file of one with --token-file (ClientOptions::token)"));
  }
  return absl::Status(code, status.error_message());
}

absl::Status NameCanceller(absl::Status status, bool client, const std::string& target) {
  if (status != absl::CancelledError("CANCELLED")) return status;
  if (client) return absl::CancelledError("the client has cancelled the call");
  return FromGrpc({grpc::StatusCode::UNAVAILABLE,
                   "it has cancelled the call, as a server does that shuts down"},
                  target);
}

absl::Status AddImages(absl::Span<const Image> images,
                       google::protobuf::RepeatedPtrField<v1::Image>& out) {
  if (images.empty())
    return absl::InvalidArgumentError("there is no image to classify; send at least one");
  out.Reserve(static_cast<int>(images.size()));
  for (const Image& image : images) {
    if (image.is_float32()) {
      out.Add()->set_float32(image.bytes());
    } else {
      out.Add()->set_gray8(image.bytes());
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> TimeoutOr(std::optional<absl::Duration> timeout,
                                         absl::Duration fallback) {
  const absl::Duration chosen = timeout.value_or(fallback);
  if (chosen <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("the timeout is ", absl::FormatDuration(chosen),
                                                   "; it must be greater than 0"));
  }
  return chosen;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration proto;
  absl::Duration rest;
  proto.set_seconds(absl::IDivDuration(duration, absl::Seconds(1), &rest));
  proto.set_nanos(static_cast<std::int32_t>(absl::ToInt64Nanoseconds(rest)));
  return proto;
}

v1::Priority ToProto(Priority priority) {
  return priority == Priority::kLow ? v1::PRIORITY_LOW : v1::PRIORITY_UNSPECIFIED;
}

absl::StatusOr<ClassifyResult> FromProto(const v1::ClassifyResponse& response,
                                         std::optional<int> images) {
  if (images.has_value() && response.predictions_size() != *images) {
    return Broken(
        absl::StrCat(response.predictions_size(), " predictions for ", *images, " images"));
  }
  ClassifyResult result;
  result.predictions.reserve(response.predictions_size());
  for (const v1::Prediction& from : response.predictions()) {
    const int classes = from.log_probabilities_size();
    if (absl::Status valid = CheckClasses("log-probabilities", classes); !valid.ok()) return valid;
    if (classes != response.predictions(0).log_probabilities_size()) {
      return Broken(absl::StrCat(classes, " log-probabilities for one image and ",
                                 response.predictions(0).log_probabilities_size(), " for another"));
    }
    if (from.class_index() < 0 || from.class_index() >= classes) {
      return Broken(
          absl::StrCat("class index ", from.class_index(), " is not within 0 to ", classes - 1));
    }
    result.predictions.push_back(
        {from.class_index(),
         from.label(),
         {from.log_probabilities().begin(), from.log_probabilities().end()}});
  }
  result.model_name = response.model().name();
  result.model_version = response.model().version();
  result.timing = {FromProto(response.timing().queue_duration()),
                   FromProto(response.timing().compute_duration()), response.timing().batch_size()};
  return result;
}

absl::StatusOr<ModelInfo> FromProto(const v1::GetModelResponse& response) {
  const v1::Model& model = response.model();
  if (absl::Status valid = CheckClasses("class labels", model.class_labels_size()); !valid.ok()) {
    return valid;
  }
  ModelInfo info;
  info.name = model.version().name();
  info.version = model.version().version();
  info.labels.assign(model.class_labels().begin(), model.class_labels().end());
  for (const v1::Layer& layer : model.layers()) {
    info.layers.push_back(
        {layer.name(), layer.operator_(),
         std::vector<int>(layer.output_shape().begin(), layer.output_shape().end()),
         layer.parameter_count(), layer.multiply_adds()});
  }
  info.parameters = model.parameter_count();
  info.multiply_adds = model.multiply_adds();
  if (model.has_test_accuracy()) info.test_accuracy = model.test_accuracy();
  info.weights_sha256 = model.weights_sha256();
  info.card_of_other_weights = model.card_of_other_weights();
  const v1::Preprocessing& preprocessing = model.preprocessing();
  info.preprocessing = {preprocessing.content_size(), preprocessing.padding(), preprocessing.mean(),
                        preprocessing.standard_deviation()};
  const v1::Limits& limits = response.limits();
  info.limits = {limits.max_images_per_request(), limits.max_batch_size(), limits.queue_capacity(),
                 limits.max_message_bytes()};
  return info;
}

ModelVersion FromProto(const v1::ModelVersion& version) {
  return {version.name(), version.version()};
}

std::vector<ModelStatus> FromProto(const v1::ListModelsResponse& response) {
  std::vector<ModelStatus> statuses;
  statuses.reserve(response.models_size());
  for (const v1::ModelStatus& from : response.models()) {
    statuses.push_back({FromProto(from.version()), FromProto(from.state()), from.reason(),
                        from.is_current(), from.is_default(), std::nullopt});
    if (from.has_rollout()) statuses.back().rollout = FromProto(from.rollout());
  }
  return statuses;
}

StreamAnswer FromProto(const v1::ClassifyStreamResponse& response) {
  if (response.has_result()) return {response.id(), FromProto(response.result(), std::nullopt)};
  if (response.has_error() && response.error().code() > 0 && response.error().code() <= 16) {
    return {response.id(), absl::Status(static_cast<absl::StatusCode>(response.error().code()),
                                        response.error().message())};
  }
  return {response.id(), Broken("a stream response with neither a result nor a valid error")};
}

}  // namespace hellocnn::client
