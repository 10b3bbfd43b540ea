#include "tests/client/fake_server.h"

#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/server_interceptor.h>

#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/mutex.h"

namespace hellocnn::client {
namespace {

// Returns true if no earlier server of this process had the port. gRPC keeps a throttle of retries
// for each target until the process ends, so tests that shared a port would share a throttle.
bool IsNewPort(int port) {
  static Mutex mutex;
  static std::set<int>* const used = new std::set<int>();
  const MutexLock lock(&mutex);
  return used->insert(port).second;
}

}  // namespace

// Records with which metadata a call arrives, whatever its service.
class FakeServer::Recorder : public grpc::experimental::Interceptor {
 public:
  Recorder(FakeServer& server, std::string method) : server_(server), method_(std::move(method)) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* call) override {
    if (call->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) {
      const auto found = call->GetRecvInitialMetadata()->equal_range("authorization");
      const std::string values =
          absl::StrJoin(found.first, found.second, ",", [](std::string* out, const auto& pair) {
            out->append(pair.second.data(), pair.second.size());
          });
      const MutexLock lock(&server_.mutex_);
      server_.authorizations_[method_].insert(values);
    }
    call->Proceed();
  }

 private:
  FakeServer& server_;
  const std::string method_;
};

class FakeServer::Recorders : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit Recorders(FakeServer& server) : server_(server) {}

  // gRPC owns what it returns.
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* call) override {
    return new Recorder(server_, call->method());
  }

 private:
  FakeServer& server_;
};

FakeServer::FakeServer(const std::shared_ptr<grpc::ServerCredentials>& credentials)
    : classify([](grpc::ServerContext&, const v1::ClassifyRequest& request,
                  v1::ClassifyResponse& response) {
        response = Answer(request.images());
        return grpc::Status::OK;
      }),
      get_model(
          [](grpc::ServerContext&, const v1::GetModelRequest&, v1::GetModelResponse& response) {
            response = ModelMessage();
            return grpc::Status::OK;
          }),
      list_models([](v1::ListModelsResponse& response) {
        response = ModelsMessage();
        return grpc::Status::OK;
      }),
      stream_answer(
          [](const v1::ClassifyStreamRequest& request, v1::ClassifyStreamResponse& response) {
            *response.mutable_result() = Answer(request.images());
            return true;
          }) {
  grpc::EnableDefaultHealthCheckService(true);
  int port = 0;
  std::vector<std::unique_ptr<grpc::Server>> of_used_ports;
  while (true) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port);
    builder.RegisterService(this);
    std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> recorders;
    recorders.push_back(std::make_unique<Recorders>(*this));
    builder.experimental().SetInterceptorCreators(std::move(recorders));
    server_ = builder.BuildAndStart();
    if (IsNewPort(port)) break;
    of_used_ports.push_back(std::move(server_));  // holds the port, so that another is found
  }
  server_->GetHealthCheckService()->SetServingStatus("asleep", false);
  target_ = absl::StrCat("127.0.0.1:", port);
}

FakeServer::~FakeServer() { Stop(); }

void FakeServer::Stop() {
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

std::map<std::string, std::set<std::string>> FakeServer::authorizations() const {
  const MutexLock lock(&mutex_);
  return authorizations_;
}

Client FakeServer::Connect(absl::Duration timeout) const {
  return Client::Create({.target = target_, .default_timeout = timeout}).value();
}

v1::ClassifyResponse FakeServer::Answer(const google::protobuf::RepeatedPtrField<v1::Image>& images,
                                        int classes) {
  v1::ClassifyResponse response;
  for (const v1::Image& image : images) {
    const std::string& bytes = image.has_gray8() ? image.gray8() : image.float32();
    const int index = static_cast<unsigned char>(bytes[0]) % classes;
    v1::Prediction& prediction = *response.add_predictions();
    prediction.set_class_index(index);
    prediction.set_label(absl::StrCat(index));
    const float other = 0.09F / static_cast<float>(classes - 1);
    for (int i = 0; i < classes; ++i)
      prediction.add_log_probabilities(std::log(i == index ? 0.91F : other));
  }
  response.mutable_model()->set_name("fake");
  response.mutable_model()->set_version("7");
  response.mutable_timing()->mutable_queue_duration()->set_nanos(1500);
  response.mutable_timing()->mutable_compute_duration()->set_seconds(2);
  response.mutable_timing()->set_batch_size(3);
  return response;
}

v1::GetModelResponse FakeServer::ModelMessage(int classes) {
  v1::GetModelResponse response;
  v1::Model& model = *response.mutable_model();
  model.mutable_version()->set_name("fake");
  model.mutable_version()->set_version("7");
  for (int i = 0; i < classes; ++i) model.add_class_labels(absl::StrCat(i));
  v1::Layer& layer = *model.add_layers();
  layer.set_name("conv.0");
  layer.set_operator_("Conv2d(1, 6, kernel 5x5)");
  for (const int extent : {6, 28, 28}) layer.add_output_shape(extent);
  layer.set_parameter_count(156);
  model.set_parameter_count(61706);
  model.set_test_accuracy(0.96);
  model.mutable_preprocessing()->set_content_size(28);
  model.mutable_preprocessing()->set_padding(2);
  model.mutable_preprocessing()->set_mean(0.1307F);
  model.mutable_preprocessing()->set_standard_deviation(0.3081F);
  response.mutable_limits()->set_max_images_per_request(16);
  response.mutable_limits()->set_queue_capacity(64);
  return response;
}

v1::ListModelsResponse FakeServer::ModelsMessage() {
  v1::ListModelsResponse response;
  v1::ModelStatus& failed = *response.add_models();
  failed.mutable_version()->set_name("fake");
  failed.mutable_version()->set_version("6");
  failed.set_state(v1::ModelStatus::STATE_FAILED);
  failed.set_reason("the weights are truncated");
  v1::ModelStatus& current = *response.add_models();
  current.mutable_version()->set_name("fake");
  current.mutable_version()->set_version("7");
  current.set_state(v1::ModelStatus::STATE_SERVING);
  current.set_is_current(true);
  current.set_is_default(true);
  return response;
}

grpc::Status FakeServer::Classify(grpc::ServerContext* context, const v1::ClassifyRequest* request,
                                  v1::ClassifyResponse* response) {
  return classify(*context, *request, *response);
}

grpc::Status FakeServer::ClassifyStream(
    grpc::ServerContext*,
    grpc::ServerReaderWriter<v1::ClassifyStreamResponse, v1::ClassifyStreamRequest>* stream) {
  v1::ClassifyStreamRequest request;
  while (stream->Read(&request)) {
    v1::ClassifyStreamResponse response;
    response.set_id(request.id());
    if (!stream_answer(request, response)) return stream_end();
    stream->Write(response);
  }
  return grpc::Status::OK;
}

grpc::Status FakeServer::GetModel(grpc::ServerContext* context, const v1::GetModelRequest* request,
                                  v1::GetModelResponse* response) {
  return get_model(*context, *request, *response);
}

grpc::Status FakeServer::ListModels(grpc::ServerContext*, const v1::ListModelsRequest*,
                                    v1::ListModelsResponse* response) {
  return list_models(*response);
}

Image Uniform(std::uint8_t level) {
  return Image::Gray8(std::vector<std::uint8_t>(kImagePixels, level)).value();
}

}  // namespace hellocnn::client
