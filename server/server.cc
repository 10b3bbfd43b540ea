#include "server/server.h"

#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/version.h"
#include "server/observability/admin_http/admin_server.h"
#include "server/observability/events.h"
#include "server/observability/prometheus/prometheus_metrics.h"
#include "server/rpc/classifier_service.h"
#include "server/rpc/connections.h"
#include "server/rpc/grpc_server.h"
#include "server/rpc/health_service.h"
#include "server/serving/batch_dispatcher.h"
#include "server/serving/lifecycle.h"
#include "server/serving/model_loader.h"
#include "server/serving/model_registry.h"
#include "server/serving/request_limits.h"

namespace hellocnn::server {
namespace {

// After the drain, the connections and health watches of clients that are still there get this long
// to close.
constexpr absl::Duration kCloseTimeout = absl::Milliseconds(500);

// Until calls have stopped coming for so long, they are refused with a status that tells clients to
// go elsewhere. A call that arrives while gRPC itself shuts down is cut off with CANCELLED, which
// tells them nothing.
constexpr absl::Duration kQuietTime = absl::Milliseconds(500);
// Of clients that never stop, no more than so long after the last accepted call has been answered.
constexpr absl::Duration kRefuseTime = absl::Seconds(5);

// An image takes 4,096 bytes, its tags and lengths 7; the rest is for fields that are yet to come.
constexpr int kBytesPerImage = 4096 + 64;
constexpr int kBytesPerRequest = 4096;

// The range of --max-images-per-request keeps a message below 2 GiB.
RequestLimits MakeLimits(const Options& options) {
  return {.max_images_per_request = options.max_images_per_request,
          .max_batch_size = options.max_batch_size,
          .queue_capacity = options.queue_capacity,
          .max_message_bytes = kBytesPerRequest + kBytesPerImage * options.max_images_per_request};
}

// What is known before the model is.
ServerInfo DescribeBuild(const Options& options) {
  return {.version = kVersion,
          .compiler = kCompiler,
          .libtorch = kLibTorchVersion,
          .grpc = grpc::Version(),
          .workers = options.threads,
          .queue_capacity = options.queue_capacity};
}

}  // namespace

// In the order of construction; destroyed in reverse.
class Server::Parts {
 public:
  explicit Parts(const Options& options) : options_(options) {}
  ~Parts() { Drain(); }

  absl::Status Start(const Notification* stop);
  void Drain();

  const std::string& grpc_address() const { return grpc_address_; }
  const std::string& metrics_address() const { return metrics_address_; }

 private:
  Events* events() { return metrics_ == nullptr ? NoEvents() : metrics_.get(); }
  // Counts from here on, unless metrics are off.
  void MakeMetrics();
  absl::Status StartAdmin(const VerifiedModel& model);
  absl::Status StartGrpc(const RequestLimits& limits);

  const Options options_;
  const Clock* const clock_ = Clock::Monotonic();
  Lifecycle lifecycle_;
  std::string grpc_address_;
  std::string metrics_address_ = "off";
  std::unique_ptr<PrometheusMetrics> metrics_;           // null if metrics are off
  std::unique_ptr<Lifecycle::Observation> ready_gauge_;  // ends before metrics_ goes
  std::unique_ptr<AdminServer> admin_;                   // null if it has no port
  HealthService health_{{v1::ClassifierService::service_full_name()}, &lifecycle_};
  ModelRegistry registry_;
  std::unique_ptr<ClassifierService> service_;
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<CompletionEvents> grpc_events_;
  std::unique_ptr<BatchDispatcher> dispatcher_;
};

// What can be wrong with the model is found before a port is opened: a bad roll-out never looks
// alive. From then on the workers reject calls, because nothing is served yet, while they warm
// their engines up.
absl::Status Server::Parts::Start(const Notification* stop) {
  MakeMetrics();
  absl::StatusOr<std::unique_ptr<BatchDispatcher>> dispatcher =
      BatchDispatcher::Start(options_.threads, options_.max_batch_size, events(), clock_);
  if (!dispatcher.ok()) return dispatcher.status();
  dispatcher_ = *std::move(dispatcher);

  ModelLoader loader({.engine = options_.engine,
                      .queue = {.max_batch_size = options_.max_batch_size,
                                .capacity = options_.queue_capacity,
                                .max_delay = options_.max_queue_delay}},
                     dispatcher_.get(), events(), clock_,
                     [stop] { return stop != nullptr && stop->HasBeenNotified(); });
  const absl::StatusOr<VerifiedModel> verified = loader.Verify(options_.model);
  if (!verified.ok()) return verified.status();
  // Before the admin port opens: it registers the methods, whose series are there from the start.
  const RequestLimits limits = MakeLimits(options_);
  service_ = std::make_unique<ClassifierService>(verified->card, limits, events(), &lifecycle_,
                                                 &registry_, clock_);
  if (absl::Status status = StartAdmin(*verified); !status.ok()) return status;
  if (absl::Status status = StartGrpc(limits); !status.ok()) return status;
  spdlog::info("listening on {}, metrics {}; warming {} workers up, batches of up to {} images",
               grpc_address_, metrics_address_, options_.threads, options_.max_batch_size);

  const absl::StatusOr<ServableHandle> servable = loader.Prepare(*verified);
  if (!servable.ok()) return servable.status();
  if (absl::Status status = registry_.Publish(*servable); !status.ok()) return status;
  events()->OnModelLoaded(verified->id, clock_->Now() - verified->load_began);
  if (absl::Status status = lifecycle_.Enter(LifecycleState::kServing); !status.ok()) return status;
  spdlog::info("ready");
  return absl::OkStatus();
}

void Server::Parts::MakeMetrics() {
  // Without a port nobody could read what is counted.
  if (options_.metrics == "off" || options_.metrics_listen == "off") return;
  metrics_ = std::make_unique<PrometheusMetrics>(DescribeBuild(options_));
  ready_gauge_ = lifecycle_.Observe([metrics = metrics_.get()](LifecycleState state) {
    metrics->SetReady(state == LifecycleState::kServing);
  });
}

absl::Status Server::Parts::StartAdmin(const VerifiedModel& model) {
  if (options_.metrics_listen == "off") return absl::OkStatus();
  if (metrics_ != nullptr) {
    metrics_->SetGauges({.queued_images = [this] { return dispatcher_->queued_images(); },
                         .connections = &CountConnections});
  }
  ServerInfo info = DescribeBuild(options_);
  info.engine = model.engines.name;
  info.model = absl::StrCat(model.card.name, ", version ", model.card.version);
  const auto readiness = [this]() -> AdminServer::Readiness {
    const LifecycleState state = lifecycle_.state();
    return {.ready = state == LifecycleState::kServing, .state = NameOf(state)};
  };
  absl::StatusOr<std::unique_ptr<AdminServer>> admin =
      AdminServer::Start({.address = options_.metrics_listen,
                          .info = info,
                          .readiness = readiness,
                          .metrics = metrics_.get()});
  if (!admin.ok()) return admin.status();
  admin_ = *std::move(admin);
  metrics_address_ = WithPort(options_.metrics_listen, admin_->port());
  return absl::OkStatus();
}

absl::Status Server::Parts::StartGrpc(const RequestLimits& limits) {
  absl::StatusOr<GrpcServer> started =
      StartGrpcServer({.listen = options_.listen,
                       .max_message_bytes = limits.max_message_bytes,
                       .max_connection_age = options_.max_connection_age},
                      {service_.get(), &health_});
  if (!started.ok()) return started.status();
  grpc_events_ = std::move(started->events);
  grpc_ = std::move(started->server);
  grpc_address_ = started->address;
  service_->Listen(grpc_events_.get());
  health_.Listen(grpc_events_.get());
  dispatcher_->pool().Attach(grpc_events_.get());
  return absl::OkStatus();
}

void Server::Parts::Drain() {
  // Load balancers look away from here on; calls that come nevertheless are told to go elsewhere.
  if (!lifecycle_.Enter(LifecycleState::kDraining).ok()) return;
  if (grpc_ != nullptr) {
    spdlog::info("draining: new calls are rejected, accepted ones have {} to finish",
                 absl::FormatDuration(options_.drain_timeout));
    const Instant deadline = clock_->Now() + options_.drain_timeout;
    // gRPC's own waiting would count health watches in, which never end. So it gets its turn when
    // our calls have ended, or at once when time is up: it then cancels them, and queued jobs are
    // dropped.
    const bool idle = service_->WaitUntilIdle(deadline);
    if (!idle) spdlog::warn("the drain timeout has passed: what is left is cancelled");
    service_->WaitUntilQuiet(kQuietTime, std::min(deadline, clock_->Now() + kRefuseTime));
    ShutDown(grpc_.get(), idle ? kCloseTimeout : absl::ZeroDuration());
    grpc_->Wait();
  }
  // Only now: calls that were accepted may have had to be queued until their last one was answered.
  if (metrics_ != nullptr) metrics_->SetGauges({});
  if (dispatcher_ != nullptr) dispatcher_->Stop();
  lifecycle_.Enter(LifecycleState::kStopped).IgnoreError();
  spdlog::info("drained");
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options,
                                                      const Notification* stop) {
  absl::Status status = options.Validate();
  if (!status.ok()) return status;
  auto parts = std::make_unique<Parts>(options);
  status = parts->Start(stop);
  if (!status.ok()) return status;
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() = default;

void Server::Drain() { parts_->Drain(); }
const std::string& Server::grpc_address() const { return parts_->grpc_address(); }
const std::string& Server::metrics_address() const { return parts_->metrics_address(); }

}  // namespace hellocnn::server
