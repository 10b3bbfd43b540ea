#include "hellocnn/client.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "client/convert.h"
#include "client/health/health.pb.h"
#include "client/stream.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"

namespace hellocnn::client {
namespace {

// By path rather than by a generated stub: health.proto says why.
constexpr char kHealthCheckMethod[] = "/grpc.health.v1.Health/Check";

// gRPC's service config. A replica that drains refuses the calls that cross the news of it on the
// wire: those are sent again, elsewhere.
constexpr char kRoundRobin[] = R"({
  "loadBalancingConfig": [{"round_robin": {}}],
  "healthCheckConfig": {"serviceName": ""},
  "methodConfig": [{
    "name": [{"service": "hellocnn.v1.ClassifierService", "method": "Classify"},
             {"service": "hellocnn.v1.ClassifierService", "method": "GetModel"}],
    "retryPolicy": {"maxAttempts": 4, "initialBackoff": "0.01s", "maxBackoff": "0.1s",
                    "backoffMultiplier": 3, "retryableStatusCodes": ["UNAVAILABLE"]}
  }]
})";

std::shared_ptr<grpc::Channel> MakeChannel(const ClientOptions& options) {
  grpc::ChannelArguments arguments;
  if (options.round_robin) arguments.SetServiceConfigJSON(kRoundRobin);
  arguments.SetUserAgentPrefix("hellocnn-client/" HELLOCNN_VERSION);
  // Otherwise all clients of one target in a process share one TCP connection, and one of its
  // locks.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(options.target, grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

struct Client::Impl {
  explicit Impl(ClientOptions client_options)
      : options(std::move(client_options)),
        channel(MakeChannel(options)),
        stub(v1::ClassifierService::NewStub(channel)) {}

  // Sets the deadline of a call. INVALID_ARGUMENT: the timeout is not > 0.
  absl::Status Prepare(const CallOptions& call, grpc::ClientContext& context) const {
    const absl::StatusOr<absl::Duration> timeout = TimeoutOr(call.timeout, options.default_timeout);
    if (!timeout.ok()) return timeout.status();
    context.set_deadline(DeadlineIn(*timeout));
    return absl::OkStatus();
  }

  const ClientOptions options;
  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<v1::ClassifierService::Stub> stub;
};

absl::StatusOr<Client> Client::Create(ClientOptions options) {
  if (options.target.empty())
    return absl::InvalidArgumentError("the target is empty; wanted is host:port");
  if (options.default_timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("the default timeout is ",
                                                   absl::FormatDuration(options.default_timeout),
                                                   "; it must be greater than 0"));
  }
  return Client(std::make_shared<Impl>(std::move(options)));
}

Client::Client(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

const std::string& Client::target() const { return impl_->options.target; }

absl::StatusOr<ClassifyResult> Client::Classify(absl::Span<const Image> images,
                                                CallOptions options) const {
  grpc::ClientContext context;
  if (absl::Status ready = impl_->Prepare(options, context); !ready.ok()) return ready;
  v1::ClassifyRequest request;
  if (absl::Status added = AddImages(images, *request.mutable_images()); !added.ok()) return added;
  v1::ClassifyResponse response;
  const grpc::Status status = impl_->stub->Classify(&context, request, &response);
  if (!status.ok()) return FromGrpc(status, target());
  return FromProto(response, static_cast<int>(images.size()));
}

void Client::ClassifyAsync(absl::Span<const Image> images, CallOptions options,
                           ClassifyCallback callback) const {
  // Everything that gRPC refers to until the call ends, and the client's parts, which the user may
  // drop before.
  struct Call {
    std::shared_ptr<Impl> impl;
    ClassifyCallback callback;
    grpc::ClientContext context;
    v1::ClassifyRequest request;
    v1::ClassifyResponse response;
  };
  auto call = std::make_shared<Call>();
  absl::Status ready = impl_->Prepare(options, call->context);
  if (ready.ok()) ready = AddImages(images, *call->request.mutable_images());
  if (!ready.ok()) {
    callback(std::move(ready));
    return;
  }
  call->impl = impl_;
  call->callback = std::move(callback);
  impl_->stub->async()->Classify(
      &call->context, &call->request, &call->response, [call](const grpc::Status& status) {
        if (!status.ok()) {
          call->callback(FromGrpc(status, call->impl->options.target));
        } else {
          call->callback(FromProto(call->response, call->request.images_size()));
        }
      });
}

absl::StatusOr<ClassifyStream> Client::OpenStream(CallOptions options) const {
  auto stream = std::make_unique<ClassifyStream::Impl>();
  if (!options.timeout.has_value()) options.timeout = absl::InfiniteDuration();
  if (absl::Status ready = impl_->Prepare(options, stream->context); !ready.ok()) return ready;
  stream->owner = impl_;
  stream->target = target();
  stream->default_timeout = impl_->options.default_timeout;
  // The header goes with the first request rather than ahead of it, so that opening does not wait
  // for a connection.
  stream->context.set_initial_metadata_corked(true);
  stream->call = impl_->stub->ClassifyStream(&stream->context);
  return ClassifyStream(std::move(stream));
}

absl::StatusOr<ModelInfo> Client::GetModel(CallOptions options) const {
  grpc::ClientContext context;
  if (absl::Status ready = impl_->Prepare(options, context); !ready.ok()) return ready;
  v1::GetModelResponse response;
  const grpc::Status status = impl_->stub->GetModel(&context, v1::GetModelRequest(), &response);
  if (!status.ok()) return FromGrpc(status, target());
  return FromProto(response);
}

absl::StatusOr<HealthStatus> Client::CheckHealth(const std::string& service,
                                                 CallOptions options) const {
  grpc::ClientContext context;
  if (absl::Status ready = impl_->Prepare(options, context); !ready.ok()) return ready;
  health::HealthCheckRequest request;
  request.set_service(service);
  health::HealthCheckResponse response;
  grpc::Status status;
  absl::Notification done;
  grpc::TemplatedGenericStub<health::HealthCheckRequest, health::HealthCheckResponse> stub(
      impl_->channel);
  stub.UnaryCall(&context, kHealthCheckMethod, {}, &request, &response, [&](grpc::Status answer) {
    status = std::move(answer);
    done.Notify();
  });
  done.WaitForNotification();
  if (!status.ok()) return FromGrpc(status, target());
  switch (response.status()) {
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

}  // namespace hellocnn::client
