#include "hellocnn/client/client.h"

#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "client/channel_options.h"
#include "client/connection_pool.h"
#include "client/convert.h"
#include "client/health/health.pb.h"
#include "client/hedged_call.h"
#include "client/stream.h"
#include "client/token.h"

namespace hellocnn::client {
namespace {

// The method is called by its path and not through a generated stub; health.proto explains why.
constexpr char kHealthCheckMethod[] = "/grpc.health.v1.Health/Check";

HealthStatus FromProto(health::HealthCheckResponse::ServingStatus status) {
  switch (status) {
    case health::HealthCheckResponse::SERVING:
      return HealthStatus::kServing;
    case health::HealthCheckResponse::NOT_SERVING:
      return HealthStatus::kNotServing;
    case health::HealthCheckResponse::SERVICE_UNKNOWN:
      return HealthStatus::kServiceUnknown;
    default:
      return HealthStatus::kUnknown;
  }
}

}  // namespace

absl::StatusOr<Client> Client::Create(ClientOptions options) {
  if (absl::Status valid = Validate(options); !valid.ok()) return valid;
  const absl::StatusOr<std::shared_ptr<TokenSource>> token =
      TokenSource::Open(options, Clock::Monotonic()->Now());
  if (!token.ok()) return token.status();
  return Client(std::make_shared<ConnectionPool>(std::move(options), *token));
}

Client::Client(std::shared_ptr<ConnectionPool> pool) : pool_(std::move(pool)) {}

const ClientOptions& Client::options() const { return pool_->options(); }

absl::StatusOr<ClassifyResult> Client::Classify(absl::Span<const Image> images,
                                                const CallOptions& options) const {
  if (this->options().hedge.has_value()) return ClassifyFuture(images, options).get();
  v1::ClassifyRequest request;
  request.set_priority(ToProto(options.priority));
  SetModel(options.model, request);
  if (absl::Status added = AddImages(images, *request.mutable_images()); !added.ok()) return added;
  absl::StatusOr<ClassifyResult> result;
  absl::Status status = pool_->Call("Classify", request.images_size(), options,
                                    [&](grpc::ClientContext& context, Connection& connection) {
                                      v1::ClassifyResponse response;
                                      const grpc::Status ended =
                                          connection.stub->Classify(&context, request, &response);
                                      if (!ended.ok())
                                        return FromGrpc(ended, pool_->shown_target());
                                      result = client::FromProto(response, request.images_size());
                                      return result.status();
                                    });
  if (!status.ok()) return status;
  return result;
}

void Client::ClassifyAsync(absl::Span<const Image> images, const CallOptions& options,
                           ClassifyCallback callback) const {
  const absl::StatusOr<Instant> deadline = pool_->Deadline(options);
  v1::ClassifyRequest request;
  request.set_priority(ToProto(options.priority));
  SetModel(options.model, request);
  absl::Status ready = deadline.status();
  if (ready.ok()) ready = AddImages(images, *request.mutable_images());
  if (!ready.ok()) {
    callback(std::move(ready));
    return;
  }
  HedgedCall::Start(pool_, std::move(request), *deadline, options.cancellation,
                    std::move(callback));
}

std::future<absl::StatusOr<ClassifyResult>> Client::ClassifyFuture(
    absl::Span<const Image> images, const CallOptions& options) const {
  // The promise is shared because std::function needs a function that can be copied.
  const auto promise = std::make_shared<std::promise<absl::StatusOr<ClassifyResult>>>();
  std::future<absl::StatusOr<ClassifyResult>> future = promise->get_future();
  ClassifyAsync(images, options, [promise](absl::StatusOr<ClassifyResult> result) {
    promise->set_value(std::move(result));
  });
  return future;
}

absl::StatusOr<ClassifyStream> Client::OpenStream(CallOptions options) const {
  if (!options.timeout.has_value()) options.timeout = absl::InfiniteDuration();
  const absl::StatusOr<Instant> deadline = pool_->Deadline(options);
  if (!deadline.ok()) return deadline.status();
  return ClassifyStream(std::make_unique<ClassifyStream::Impl>(pool_, *deadline, options));
}

absl::StatusOr<ModelInfo> Client::GetModel(const CallOptions& options) const {
  v1::GetModelRequest request;
  SetModel(options.model, request);
  absl::StatusOr<ModelInfo> model;
  absl::Status status = pool_->Call(
      "GetModel", 0, options, [&](grpc::ClientContext& context, Connection& connection) {
        v1::GetModelResponse response;
        const grpc::Status ended = connection.stub->GetModel(&context, request, &response);
        if (!ended.ok()) return FromGrpc(ended, pool_->shown_target());
        model = client::FromProto(response);
        return model.status();
      });
  if (!status.ok()) return status;
  return model;
}

absl::StatusOr<std::vector<ModelStatus>> Client::ListModels(const CallOptions& options) const {
  v1::ListModelsResponse response;
  absl::Status status = pool_->Call(
      "ListModels", 0, options, [&](grpc::ClientContext& context, Connection& connection) {
        return FromGrpc(connection.stub->ListModels(&context, v1::ListModelsRequest(), &response),
                        pool_->shown_target());
      });
  if (!status.ok()) return status;
  return client::FromProto(response);
}

absl::StatusOr<Rollback> Client::RollBack(const CallOptions& options) const {
  v1::RollBackRequest request;
  request.set_model(options.model.name);
  v1::RollBackResponse response;
  absl::Status status = pool_->Call(
      "RollBack", 0, options, [&](grpc::ClientContext& context, Connection& connection) {
        return FromGrpc(v1::ModelControlService::NewStub(connection.channel)
                            ->RollBack(&context, request, &response),
                        pool_->shown_target());
      });
  if (!status.ok()) return status;
  return Rollback{client::FromProto(response.from()), client::FromProto(response.to())};
}

absl::StatusOr<Rollback> Client::UndoRollback(const CallOptions& options) const {
  v1::UndoRollbackRequest request;
  request.set_model(options.model.name);
  v1::UndoRollbackResponse response;
  absl::Status status = pool_->Call(
      "UndoRollback", 0, options, [&](grpc::ClientContext& context, Connection& connection) {
        return FromGrpc(v1::ModelControlService::NewStub(connection.channel)
                            ->UndoRollback(&context, request, &response),
                        pool_->shown_target());
      });
  if (!status.ok()) return status;
  return Rollback{client::FromProto(response.from()), client::FromProto(response.to())};
}

absl::Status Client::PollModels(const CallOptions& options) const {
  v1::PollModelsResponse response;
  return pool_->Call(
      "PollModels", 0, options, [&](grpc::ClientContext& context, Connection& connection) {
        return FromGrpc(v1::ModelControlService::NewStub(connection.channel)
                            ->PollModels(&context, v1::PollModelsRequest(), &response),
                        pool_->shown_target());
      });
}

absl::StatusOr<HealthStatus> Client::CheckHealth(const std::string& service,
                                                 const CallOptions& options) const {
  health::HealthCheckRequest request;
  request.set_service(service);
  health::HealthCheckResponse response;
  absl::Status status =
      pool_->Call("Check", 0, options, [&](grpc::ClientContext& context, Connection& connection) {
        grpc::Status ended;
        // This is shared, because Notify may not have returned when Wait does.
        const auto done = std::make_shared<Notification>();
        grpc::TemplatedGenericStub<health::HealthCheckRequest, health::HealthCheckResponse> stub(
            connection.channel);
        stub.UnaryCall(&context, kHealthCheckMethod, {}, &request, &response,
                       [&ended, done](grpc::Status answer) {
                         ended = std::move(answer);
                         done->Notify();
                       });
        done->Wait();
        return FromGrpc(ended, pool_->shown_target());
      });
  if (!status.ok()) return status;
  return FromProto(response.status());
}

}  // namespace hellocnn::client
