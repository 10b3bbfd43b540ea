#include "server/rpc/rest/rest_service.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/shown.h"
#include "hellocnn/reference/reference_engine.h"
#include "hellocnn/strict_json.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "inference/open_inference.pb.h"
#include "server/rpc/core/prepared_picture.h"
#include "server/rpc/errors/error_trailers.h"
#include "server/rpc/rest/infer_json.h"
#include "server/rpc/rest/message_json.h"
#include "server/rpc/rest/page.h"
#include "server/rpc/transport/caller.h"

namespace hellocnn::server {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kJson[] = "application/json";
constexpr char kInference[] = "/inference.GRPCInferenceService/";
constexpr char kClassify[] = "/hellocnn.v1.ClassifierService/Classify";
// A picture of a request to /classify may have so many pixels: what the cameras of phones take.
constexpr std::int64_t kMostPicturePixels = std::int64_t{1} << 24;
// JSON that is no inference may have so many bytes.
constexpr std::size_t kMostSmallJson = 4096;

HttpResponse Page(const char* type, std::string_view content) {
  return {.content_type = type,
          .body = std::string(content),
          .headers = {{"Content-Security-Policy",
                       "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' "
                       "data:; connect-src 'self'; base-uri 'none'; form-action 'none'"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"Referrer-Policy", "no-referrer"}}};
}

std::string Text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

HttpResponse JsonResponse(const Json& json, unsigned status = 200) {
  return {.status = status, .content_type = kJson, .body = Text(json)};
}

// Returns the message that a method has responded with.
template <typename Response>
Response Parsed(const std::string& bytes) {
  Response response;
  response.ParseFromString(bytes);
  return response;
}

// Returns the call that the request becomes.
LocalCalls::Request CallOf(const HttpRequest& http, std::string path,
                           const google::protobuf::Message& message) {
  LocalCalls::Request call{.path = std::move(path),
                           .bytes = message.SerializeAsString(),
                           .peer = http.peer,
                           .caller = CallerOf(http.principal, http.peer),
                           .certificate_names = http.certificate_names,
                           .metadata = {}};
  for (const char* name : {"authorization", "x-request-id", "traceparent"}) {
    if (const auto value = http.Header(name); value.has_value()) {
      call.metadata[name] = std::string(*value);
    }
  }
  return call;
}

bool IsRead(const HttpRequest& http) { return http.method == "GET" || http.method == "HEAD"; }

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

bool IsText(const std::string& text) {
  try {
    return !Json(text).dump().empty();
  } catch (const Json::exception&) {  // not UTF-8
    return false;
  }
}

std::string QueryOf(const HttpRequest& http, const char* name) {
  const auto found = http.query.find(name);
  return found == http.query.end() ? "" : found->second;
}

// Returns the name of the model that is asked for, also if it is the default one; "" if there is
// none.
std::string NameOfModel(const HttpRequest& http, const ModelRegistry& models) {
  std::string name = QueryOf(http, "model");
  if (!name.empty()) return name;
  const absl::StatusOr<ServableHandle> model = models.Default();
  return model.ok() ? (*model)->name() : "";
}

// A picture that is prepared for a model.
struct Prepared {
  ServableHandle model;
  std::vector<std::uint8_t> grey;
};

absl::StatusOr<Prepared> Prepare(const HttpRequest& http, const ModelRegistry& models) {
  if (http.Header("content-type").value_or("").starts_with("multipart/")) {
    return absl::InvalidArgumentError(
        "the body is a form; wanted the bytes of a picture alone: curl --data-binary @seven.png");
  }
  absl::StatusOr<ServableHandle> model =
      models.Find(QueryOf(http, "model"), QueryOf(http, "version"));
  if (!model.ok()) return model.status();
  absl::StatusOr<PreparedPicture> prepared =
      PreparePicture("the body", http.body, kMostPicturePixels, (*model)->card());
  if (!prepared.ok()) return prepared.status();
  return Prepared{*std::move(model), std::move(prepared->grey)};
}

double Milliseconds(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) * 1e3 +
         static_cast<double>(duration.nanos()) / 1e6;
}

// What the network sees, and what its two convolutions make of it, each as bytes in Base64 from 0,
// black, to 255, the greatest value of the layer.
void AddDetails(const Prepared& prepared, Json* json) {
  const auto base64 = [](const std::vector<std::uint8_t>& bytes) {
    return absl::Base64Escape(
        absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  };
  (*json)["image"] = {{"shape", {kImageSide, kImageSide}}, {"bytes", base64(prepared.grey)}};
  if (prepared.model->weights() == nullptr) return;
  Json layers = Json::array();
  const ImageView image{PixelFormat::kGray8,
                        reinterpret_cast<const std::byte*>(prepared.grey.data())};
  for (const LayerOutput& layer :
       ReferenceOutputs(prepared.model->weights(), prepared.model->card().normalization, image)) {
    // What follows each of the two convolutions that leave a picture.
    if (layer.name != "conv.1" && layer.name != "conv.4") continue;
    const float greatest = *std::max_element(layer.values.begin(), layer.values.end());
    std::vector<std::uint8_t> bytes(layer.values.size());
    std::transform(
        layer.values.begin(), layer.values.end(), bytes.begin(), [greatest](float value) {
          return greatest > 0 ? static_cast<std::uint8_t>(std::lround(255 * value / greatest)) : 0;
        });
    layers.push_back({{"name", layer.name},
                      {"shape", {layer.shape.channels, layer.shape.height, layer.shape.width}},
                      {"greatest", greatest},
                      {"bytes", base64(bytes)}});
  }
  (*json)["layers"] = std::move(layers);
}

Json ClassificationOf(const v1::ClassifyResponse& response, const ModelCard& card) {
  const v1::Prediction& prediction = response.predictions(0);
  const auto probability = [&prediction](int index) {
    return std::exp(prediction.log_probabilities(index));
  };
  Json probabilities = Json::array();
  for (int i = 0; i < prediction.log_probabilities_size(); ++i) {
    const std::size_t at = static_cast<std::size_t>(i);
    probabilities.push_back(
        {{"label", at < card.class_labels.size() ? card.class_labels[at] : absl::StrCat(i)},
         {"probability", probability(i)}});
  }
  return {{"label", prediction.label()},
          {"class_index", prediction.class_index()},
          {"probability", probability(prediction.class_index())},
          {"model", {{"name", response.model().name()}, {"version", response.model().version()}}},
          {"queue_ms", Milliseconds(response.timing().queue_duration())},
          {"compute_ms", Milliseconds(response.timing().compute_duration())},
          {"probabilities", std::move(probabilities)}};
}

}  // namespace

unsigned HttpStatusOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

RestService::RestService(LocalCalls* calls, const ModelRegistry* models, std::string cors_origin,
                         const AccessControl* access)
    : calls_(calls), models_(models), cors_origin_(std::move(cors_origin)), access_(access) {}

HttpResponse RestService::WithCors(HttpResponse response) const {
  if (cors_origin_.empty()) return response;
  response.headers.emplace_back("Access-Control-Allow-Origin", cors_origin_);
  response.headers.emplace_back("Access-Control-Expose-Headers",
                                "Inference-Header-Content-Length, Retry-After");
  if (cors_origin_ != "*") response.headers.emplace_back("Vary", "Origin");
  return response;
}

HttpResponse RestService::Error(unsigned status, const std::string& what) const {
  return {.status = status, .content_type = kJson, .body = Text(Json{{"error", Printable(what)}})};
}

HttpResponse RestService::ErrorOf(const absl::Status& status) const {
  HttpResponse response = Error(HttpStatusOf(status.code()), std::string(status.message()));
  if (const std::optional<absl::Duration> delay = RetryDelay(status); delay.has_value()) {
    response.headers.emplace_back(
        "Retry-After", absl::StrCat(absl::ToInt64Seconds(absl::Ceil(*delay, absl::Seconds(1)))));
  }
  if (absl::IsUnauthenticated(status)) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  return response;
}

void RestService::Handle(const HttpRequest& http, HttpServer::Responder respond) const {
  const auto answer = [this, respond](MakeHttpResponse make) {
    respond([this, make = std::move(make)] { return WithCors(make()); });
  };
  const auto page = [&](const char* type, std::string_view content) {
    respond([type, content] { return Page(type, content); });
  };
  if (!IsText(http.path) || !IsText(QueryOf(http, "model")) || !IsText(QueryOf(http, "version"))) {
    return answer([this] { return Error(400, "the path or the query is not UTF-8"); });
  }
  if (http.method == "POST" && !MayPost(http)) {
    return answer([this] {
      return Error(403, "a page of another origin sent this; wanted the option --http-cors-origin");
    });
  }
  if (http.method == "OPTIONS") {
    return answer([] {
      return HttpResponse{
          .status = 204,
          .headers = {{"Allow", "GET, HEAD, POST, OPTIONS"},
                      {"Access-Control-Allow-Methods", "GET, POST"},
                      {"Access-Control-Allow-Headers",
                       "Authorization, Content-Type, Inference-Header-Content-Length"},
                      {"Access-Control-Max-Age", "600"}}};
    });
  }
  if (http.path == "/v2" || http.path.starts_with("/v2/")) return HandleV2(http, answer);
  if (http.path == "/classify") return Classify(http, answer);
  if (IsRead(http)) {
    if (http.path == "/") return page("text/html; charset=utf-8", kDrawHtml);
    if (http.path == "/draw.css") return page("text/css; charset=utf-8", kDrawCss);
    if (http.path == "/draw.js") return page("text/javascript; charset=utf-8", kDrawJs);
  }
  NotFound(http, answer);
}

// Browsers say which page makes them post. To post needs nobody's leave, unlike to read.
bool RestService::MayPost(const HttpRequest& http) const {
  const std::string_view origin = http.Header("origin").value_or("");
  if (origin.empty() || cors_origin_ == "*" || origin == cors_origin_) return true;
  const std::size_t scheme = origin.find("://");
  return scheme != std::string_view::npos &&
         origin.substr(scheme + 3) == http.Header("host").value_or("");
}

template <typename Response>
HttpResponse RestService::WholeMessage(const Response& response) {
  return JsonResponse(ToJson(response));
}

void RestService::CallThen(LocalCalls::Request request, const HttpServer::Responder& respond,
                           std::function<HttpResponse(const std::string&)> make) const {
  calls_->Call(std::move(request),
               [this, respond, make = std::move(make)](LocalCalls::Response result) mutable {
                 respond([this, make = std::move(make), result = std::move(result)] {
                   return result.status.ok() ? make(result.bytes) : ErrorOf(result.status);
                 });
               });
}

template <typename Response>
void RestService::Call(const HttpRequest& http, const char* method,
                       const google::protobuf::Message& request,
                       const HttpServer::Responder& respond,
                       std::function<HttpResponse(const Response&)> make) const {
  CallThen(
      CallOf(http, absl::StrCat(kInference, method), request), respond,
      [make = std::move(make)](const std::string& bytes) { return make(Parsed<Response>(bytes)); });
}

void RestService::HandleV2(const HttpRequest& http, const HttpServer::Responder& respond) const {
  const std::string& path = http.path;
  const bool is_read = IsRead(http);
  if (is_read && path == "/v2") {
    return Call<inference::ServerMetadataResponse>(http, "ServerMetadata",
                                                   inference::ServerMetadataRequest(), respond);
  }
  if (is_read && path == "/v2/health/live") {
    return Call<inference::ServerLiveResponse>(http, "ServerLive", inference::ServerLiveRequest(),
                                               respond);
  }
  if (is_read && path == "/v2/health/ready") {
    return Call<inference::ServerReadyResponse>(
        http, "ServerReady", inference::ServerReadyRequest(), respond,
        [](const inference::ServerReadyResponse& response) {
          return JsonResponse(ToJson(response), response.ready() ? 200 : 503);
        });
  }
  if (is_read && path == "/v2/models/stats") {
    return Call<inference::ModelStatisticsResponse>(http, "ModelStatistics",
                                                    inference::ModelStatisticsRequest(), respond);
  }
  const std::vector<std::string> parts = absl::StrSplit(ToAbsl(path), '/');
  // "", "v2", "models", the model, and perhaps "versions", the version, and an action
  if (parts.size() >= 4 && parts[2] == "models") {
    const bool has_version = parts.size() >= 6 && parts[4] == "versions";
    const std::size_t after = has_version ? 6 : 4;
    if (parts.size() <= after + 1) {
      return HandleModel(http,
                         {.model = parts[3],
                          .version = has_version ? parts[5] : "",
                          .action = parts.size() > after ? parts[after] : ""},
                         respond);
    }
  }
  if (parts.size() >= 4 && parts[2] == "repository") {
    if (http.method != "POST") return NotAllowed(http, "POST", respond);
    return HandleRepository(http, parts, respond);
  }
  NotFound(http, respond);
}

void RestService::HandleModel(const HttpRequest& http, const ModelPath& path,
                              const HttpServer::Responder& respond) const {
  const auto naming = [&path](auto request) {
    request.set_name(path.model);
    request.set_version(path.version);
    return request;
  };
  constexpr std::array kActions = {"", "config", "stats", "ready", "infer"};
  if (std::find(kActions.begin(), kActions.end(), path.action) == kActions.end()) {
    return NotFound(http, respond);
  }
  if (path.action == "infer") {
    if (http.method != "POST") return NotAllowed(http, "POST", respond);
    return Infer(http, path, respond);
  }
  if (!IsRead(http)) return NotAllowed(http, "GET, HEAD", respond);
  if (path.action.empty()) {
    return Call<inference::ModelMetadataResponse>(
        http, "ModelMetadata", naming(inference::ModelMetadataRequest()), respond);
  }
  if (path.action == "config") {
    return Call<inference::ModelConfigResponse>(http, "ModelConfig",
                                                naming(inference::ModelConfigRequest()), respond,
                                                [](const inference::ModelConfigResponse& response) {
                                                  return JsonResponse(ToJson(response.config()));
                                                });
  }
  if (path.action == "stats") {
    return Call<inference::ModelStatisticsResponse>(
        http, "ModelStatistics", naming(inference::ModelStatisticsRequest()), respond);
  }
  // With its name, as the specification has it, which the method over gRPC does not return.
  Call<inference::ModelReadyResponse>(
      http, "ModelReady", naming(inference::ModelReadyRequest()), respond,
      [name = path.model](const inference::ModelReadyResponse& response) {
        return JsonResponse({{"name", name}, {"ready", response.ready()}},
                            response.ready() ? 200 : 503);
      });
}

// "", "v2", "repository", and "index" or "models", the model, and "load" or "unload".
void RestService::HandleRepository(const HttpRequest& http, const std::vector<std::string>& parts,
                                   const HttpServer::Responder& respond) const {
  nlohmann::json body = nlohmann::json::object();
  if (!http.body.empty()) {
    absl::StatusOr<nlohmann::json> read = absl::InvalidArgumentError(
        absl::StrCat("has ", http.body.size(), " bytes; wanted at most ", kMostSmallJson));
    if (http.body.size() <= kMostSmallJson) read = ParseStrictJson(http.body, 8);
    if (!read.ok()) {
      return respond([this, what = absl::StrCat("the body ", read.status().message())] {
        return Error(400, what);
      });
    }
    body = *std::move(read);
  }
  if (parts[3] == "index" && parts.size() == 4) {
    inference::RepositoryIndexRequest request;
    request.set_ready(body.value("ready", nlohmann::json()) == true);
    return Call<inference::RepositoryIndexResponse>(
        http, "RepositoryIndex", request, respond,
        [](const inference::RepositoryIndexResponse& response) {
          return JsonResponse(ToJson(response)["models"]);
        });
  }
  if (parts[3] == "models" && parts.size() == 6 && parts[5] == "load") {
    inference::RepositoryModelLoadRequest request;
    request.set_model_name(parts[4]);
    // The method says that it takes none.
    const nlohmann::json parameters = body.value("parameters", nlohmann::json::object());
    for (const auto& [name, value] : parameters.items()) {
      (*request.mutable_parameters())[name].set_string_param(value.dump());
    }
    return Call<inference::RepositoryModelLoadResponse>(http, "RepositoryModelLoad", request,
                                                        respond);
  }
  if (parts[3] == "models" && parts.size() == 6 && parts[5] == "unload") {
    inference::RepositoryModelUnloadRequest request;
    request.set_model_name(parts[4]);
    return Call<inference::RepositoryModelUnloadResponse>(http, "RepositoryModelUnload", request,
                                                          respond);
  }
  NotFound(http, respond);
}

bool RestService::MayCall(const HttpRequest& http, const std::string& method,
                          const std::string& model, const google::protobuf::Message& bare,
                          const HttpServer::Responder& respond,
                          std::shared_ptr<const Principal>* caller) const {
  if (access_ == nullptr) return true;
  absl::StatusOr<std::shared_ptr<const Principal>> found = access_->Authenticate(
      {.authorization = http.Header("authorization"), .certificate_names = http.certificate_names});
  if (found.ok()) *caller = *std::move(found);
  if (*caller != nullptr && (*caller)->CheckRight(Right::kClassify).ok() &&
      (*caller)->MayUse(model) && (*caller)->budget()->Take(0, Clock::Monotonic()->Now()).ok()) {
    return true;
  }
  LocalCalls::Request call = CallOf(http, method, bare);
  call.principal = *caller;
  CallThen(std::move(call), respond, [this](const std::string& /*bytes*/) {
    return Error(403, "access was given in the meantime; try again");
  });
  return false;
}

void RestService::Infer(const HttpRequest& http, const ModelPath& path,
                        const HttpServer::Responder& respond) const {
  const std::string method = absl::StrCat(kInference, "ModelInfer");
  inference::ModelInferRequest bare;
  bare.set_model_name(path.model);
  std::shared_ptr<const Principal> caller;
  if (!MayCall(http, method, path.model, bare, respond, &caller)) return;
  absl::StatusOr<InferCall> read = ReadInferCall(http);
  if (!read.ok()) {
    return respond([this, status = read.status()] { return ErrorOf(status); });
  }
  const auto call = std::make_shared<InferCall>(*std::move(read));
  call->request.set_model_name(path.model);
  call->request.set_model_version(path.version);
  LocalCalls::Request request = CallOf(http, method, call->request);
  request.principal = std::move(caller);
  call->request.clear_raw_input_contents();
  CallThen(std::move(request), respond, [call](const std::string& bytes) {
    return WriteInferResponse(Parsed<inference::ModelInferResponse>(bytes), *call);
  });
}

void RestService::Classify(const HttpRequest& http, const HttpServer::Responder& respond) const {
  if (http.method != "POST") return NotAllowed(http, "POST", respond);
  const std::string name = NameOfModel(http, *models_);
  v1::ClassifyRequest bare;
  bare.mutable_model()->set_name(name);
  std::shared_ptr<const Principal> caller;
  if (!MayCall(http, kClassify, name, bare, respond, &caller)) return;
  absl::StatusOr<Prepared> prepared = Prepare(http, *models_);
  if (!prepared.ok()) {
    return respond([this, status = prepared.status()] { return ErrorOf(status); });
  }
  v1::ClassifyRequest request;
  request.mutable_model()->set_name(QueryOf(http, "model"));
  request.mutable_model()->set_version(QueryOf(http, "version"));
  request.add_images()->set_gray8(prepared->grey.data(), prepared->grey.size());
  const bool details = QueryOf(http, "details") == "true";
  const auto shared = std::make_shared<const Prepared>(*std::move(prepared));
  LocalCalls::Request call = CallOf(http, kClassify, request);
  call.principal = std::move(caller);
  CallThen(std::move(call), respond, [this, shared, details](const std::string& bytes) {
    const auto response = Parsed<v1::ClassifyResponse>(bytes);
    // Another version may have taken over, or a candidate has responded.
    Prepared used = *shared;
    const absl::StatusOr<ServableHandle> model =
        models_->Find(response.model().name(), response.model().version());
    if (model.ok()) used.model = *model;
    Json json = ClassificationOf(response, used.model->card());
    if (details) AddDetails(used, &json);
    return JsonResponse(json);
  });
}

void RestService::NotAllowed(const HttpRequest& http, const char* wanted,
                             const HttpServer::Responder& respond) const {
  respond([this, wanted,
           what = absl::StrCat("the method ", http.method, " is not allowed for ", Shown(http.path),
                               "; wanted ", wanted)] {
    HttpResponse response = Error(405, what);
    response.headers.emplace_back("Allow", wanted);
    return response;
  });
}

void RestService::NotFound(const HttpRequest& http, const HttpServer::Responder& respond) const {
  respond([this, what = absl::StrCat("there is no ", http.method, " of ", Shown(http.path),
                                     "; docs/open-inference.md lists what there is, and / is a "
                                     "page for people")] { return Error(404, what); });
}

}  // namespace hellocnn::server
