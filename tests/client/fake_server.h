// A ClassifierService in this process, on a free port, whose responses a test chooses.
#ifndef TESTS_CLIENT_FAKE_SERVER_H_
#define TESTS_CLIENT_FAKE_SERVER_H_

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "hellocnn/client/client.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"

namespace hellocnn::client {

// A function that a test may set while others call it. Thread-safe.
template <typename Signature>
class Handler {
 public:
  template <typename Function>
  explicit Handler(Function function) : function_(std::move(function)) {}
  template <typename Function>
  Handler& operator=(Function function) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    function_ = std::move(function);
    return *this;
  }
  template <typename... Arguments>
  auto operator()(Arguments&... arguments) const ABSL_LOCKS_EXCLUDED(mutex_) {
    return Get()(arguments...);
  }

 private:
  std::function<Signature> Get() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    return function_;
  }

  mutable Mutex mutex_;
  std::function<Signature> function_ ABSL_GUARDED_BY(mutex_);
};

class FakeServer : public v1::ClassifierService::Service {
 public:
  // The handlers. By default, Classify and each stream request get Answer(), GetModel gets
  // ModelMessage(), and ListModels gets ModelsMessage().
  Handler<grpc::Status(grpc::ServerContext&, const v1::ClassifyRequest&, v1::ClassifyResponse&)>
      classify;
  Handler<grpc::Status(grpc::ServerContext&, const v1::GetModelRequest&, v1::GetModelResponse&)>
      get_model;
  Handler<grpc::Status(v1::ListModelsResponse&)> list_models;
  // Called for each stream request. Returning true continues the stream; returning false ends it
  // with `stream_end`, UNAVAILABLE by default.
  Handler<bool(const v1::ClassifyStreamRequest&, v1::ClassifyStreamResponse&)> stream_answer;
  Handler<grpc::Status()> stream_end{
      [] { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining"); }};

  explicit FakeServer(const std::shared_ptr<grpc::ServerCredentials>& credentials =
                          grpc::InsecureServerCredentials());
  ~FakeServer() override;

  // Ends all calls and stops listening.
  void Stop();

  const std::string& target() const { return target_; }
  Client Connect(absl::Duration timeout = absl::Seconds(5)) const;

  // Returns the values of the metadata "authorization" that the calls so far have carried, by the
  // path of the method. It is "" for a call without, and has a comma between several.
  std::map<std::string, std::set<std::string>> authorizations() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns a response that gives each image the class of its first grey level, modulo `classes`,
  // with probability 0.91.
  static v1::ClassifyResponse Answer(const google::protobuf::RepeatedPtrField<v1::Image>& images,
                                     int classes = 10);
  static v1::GetModelResponse ModelMessage(int classes = 10);
  // Returns the statuses of fake/6, which has failed, and of fake/7, the current and default one.
  static v1::ListModelsResponse ModelsMessage();

 private:
  class Recorder;
  class Recorders;

  grpc::Status Classify(grpc::ServerContext* context, const v1::ClassifyRequest* request,
                        v1::ClassifyResponse* response) override;
  grpc::Status ClassifyStream(grpc::ServerContext* context,
                              grpc::ServerReaderWriter<v1::ClassifyStreamResponse,
                                                       v1::ClassifyStreamRequest>* stream) override;
  grpc::Status GetModel(grpc::ServerContext* context, const v1::GetModelRequest* request,
                        v1::GetModelResponse* response) override;
  grpc::Status ListModels(grpc::ServerContext* context, const v1::ListModelsRequest* request,
                          v1::ListModelsResponse* response) override;

  std::string target_;
  mutable Mutex mutex_;
  std::map<std::string, std::set<std::string>> authorizations_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<grpc::Server> server_;
};

// Returns a grey image whose every pixel is `level`.
Image Uniform(std::uint8_t level);

}  // namespace hellocnn::client

#endif  // TESTS_CLIENT_FAKE_SERVER_H_
