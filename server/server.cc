#include "server/server.h"

#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/version.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/model_card.h"
#include "hellocnn/reference/reference_engine.h"
#include "hellocnn/simd/simd_engine.h"
#include "server/observability/admin_http/admin_server.h"
#include "server/observability/events.h"
#include "server/observability/prometheus/prometheus_metrics.h"
#include "server/rpc/classifier_service.h"
#include "server/rpc/connections.h"
#include "server/rpc/grpc_server.h"
#include "server/rpc/health_service.h"
#include "server/runtime/batcher.h"
#include "server/runtime/warm_up.h"
#include "server/serving/engine_selection.h"
#include "server/serving/lifecycle.h"
#include "server/serving/torch_module.h"

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

// While the model loads, how often the thread that answers looks whether it still does.
constexpr absl::Duration kLookUp = absl::Milliseconds(20);

// An image takes 4,096 bytes, its tags and lengths 7; the rest is for fields that are yet to come.
constexpr std::int64_t kBytesPerImage = 4096 + 64;
constexpr std::int64_t kBytesPerRequest = 4096;

absl::StatusOr<v1::Limits> MakeLimits(const Options& options) {
  const std::int64_t bytes = kBytesPerRequest + kBytesPerImage * options.max_images_per_request;
  if (bytes > std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "max-images-per-request is ", options.max_images_per_request, "; wanted at most ",
        std::numeric_limits<int>::max() / kBytesPerImage - 1, ": a message has at most 2 GiB"));
  }
  v1::Limits limits;
  limits.set_max_images_per_request(options.max_images_per_request);
  limits.set_max_batch_size(options.max_batch_size);
  limits.set_queue_capacity(options.queue_capacity);
  limits.set_max_message_bytes(static_cast<int>(bytes));
  return limits;
}

ServerInfo Describe(const Options& options, const ModelCard& card, const std::string& engine) {
  return {.version = kVersion,
          .compiler = kCompiler,
          .libtorch = kLibTorchVersion,
          .grpc = grpc::Version(),
          .engine = engine,
          .model = absl::StrCat(card.name, ", version ", card.version),
          .workers = options.threads,
          .queue_capacity = options.queue_capacity};
}

// The engines of --engine, checked against the reference. LibTorch is loaded only if they are its.
absl::StatusOr<NamedEngines> MakeEngines(const Options& options, const Weights& weights,
                                         const Normalization& normalization) {
  const int size = options.max_batch_size;
  const auto from_module = [&](auto TorchModule::*factory) {
    return [&, factory]() -> absl::StatusOr<EngineFactory> {
      const absl::StatusOr<const TorchModule*> module = LoadTorchModule(TorchModulePath());
      if (!module.ok()) return module.status();
      return ((*module)->*factory)(weights, normalization, size);
    };
  };
  const std::vector<EngineCandidate> all = {
      // fastest first
      {"simd", [&] { return SimdEngineFactory(weights, normalization, size); }},
      {"torch", from_module(&TorchModule::engine_factory)},
      {"torch-eager", from_module(&TorchModule::eager_engine_factory)},
  };
  std::vector<EngineCandidate> wanted;
  for (const EngineCandidate& candidate : all) {
    if (options.engine == "auto" || options.engine == candidate.name) wanted.push_back(candidate);
  }
  return SelectEngines(wanted, ReferenceEngineFactory(weights, normalization), size);
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
  // Reports to metrics from here on, unless they are off.
  void MakeMetrics(const ServerInfo& info);
  absl::Status StartAdmin(const ServerInfo& info);
  absl::Status StartGrpc(const v1::Limits& limits);
  absl::Status StartWorkers(const EngineFactory& engines, const Notification* stop);
  // Rejects calls while the model is loading. If loading fails, no worker answers, so this goes on
  // until the events end.
  void AnswerWhileLoading();

  const Options options_;
  Lifecycle lifecycle_;
  std::string grpc_address_;
  std::string metrics_address_ = "off";
  std::unique_ptr<PrometheusMetrics> metrics_;           // null if metrics are off
  std::unique_ptr<Lifecycle::Observation> ready_gauge_;  // ends before metrics_ goes
  std::unique_ptr<AdminServer> admin_;                   // null if it has no port
  Reporting reporting_;                                  // to metrics_, if there are any
  HealthService health_{{v1::ClassifierService::service_full_name()}, &lifecycle_};
  std::unique_ptr<ClassifierService> service_;
  std::unique_ptr<grpc::Server> grpc_;
  std::unique_ptr<CompletionEvents> events_;
  std::thread loading_thread_;
  std::unique_ptr<Batcher> batcher_;
};

// What can be wrong with the model is found before anything is bound: a bad roll-out never looks
// alive.
absl::Status Server::Parts::Start(const Notification* stop) {
  const Instant start = Clock::Monotonic()->Now();
  absl::StatusOr<v1::Limits> limits = MakeLimits(options_);
  if (!limits.ok()) return limits.status();
  absl::StatusOr<ModelCard> card = LoadModelCard(options_.model);
  if (!card.ok()) return card.status();
  absl::StatusOr<Weights> weights =
      LoadWeightFile(absl::StrCat(options_.model, "/", card->weights));
  if (!weights.ok()) return weights.status();
  if (absl::Status status = CheckLabelsFit(*card, *weights); !status.ok()) return status;

  spdlog::info("model {} version {} loaded from {}: test accuracy {:.2f}%", card->name,
               card->version, options_.model, card->test_accuracy * 100);

  absl::StatusOr<NamedEngines> engines = MakeEngines(options_, *weights, card->normalization);
  if (!engines.ok()) return engines.status();
  spdlog::info("engine {}", engines->name);

  const ServerInfo info = Describe(options_, *card, engines->name);
  MakeMetrics(info);
  reporting_.normalization = card->normalization;
  reporting_.model = reporting_.events->AddModel(
      {.name = card->name,
       .version = card->version,
       .engine = engines->name,
       .test_accuracy = card->test_accuracy,
       .class_labels = {card->class_labels.begin(), card->class_labels.end()}});
  service_ = std::make_unique<ClassifierService>(*card, *limits, reporting_.events,
                                                 reporting_.model, &lifecycle_, Clock::Monotonic());
  absl::Status status = StartAdmin(info);
  if (!status.ok()) return status;
  status = StartGrpc(*limits);
  if (!status.ok()) return status;

  spdlog::info("listening on {}, metrics {}; warming {} workers up, batches of up to {} images",
               grpc_address_, metrics_address_, options_.threads, options_.max_batch_size);
  status = StartWorkers(engines->factory, stop);
  if (!status.ok()) return status;
  if (metrics_ != nullptr) {
    metrics_->SetGauges({.queued_images = [this] { return batcher_->queued_images(); },
                         .connections = &CountConnections});
  }

  service_->SetBatcher(batcher_.get());
  reporting_.events->OnModelLoaded(reporting_.model, Clock::Monotonic()->Now() - start);
  status = lifecycle_.Enter(LifecycleState::kServing);
  if (!status.ok()) return status;
  spdlog::info("ready");
  return absl::OkStatus();
}

absl::Status Server::Parts::StartWorkers(const EngineFactory& engines, const Notification* stop) {
  loading_thread_ = std::thread([this] { AnswerWhileLoading(); });
  const BatchQueue::Options queue{.max_batch_size = options_.max_batch_size,
                                  .capacity = options_.queue_capacity,
                                  .max_delay = options_.max_queue_delay};
  auto warm_up = std::make_shared<WarmUp>(options_.threads, options_.max_batch_size, stop);
  absl::StatusOr<std::unique_ptr<Batcher>> batcher = Batcher::Start(
      options_.threads, queue, engines, events_.get(), reporting_, Clock::Monotonic(),
      [warm_up](Engine& engine) { return warm_up->Run(engine); });
  if (!batcher.ok()) return batcher.status();
  batcher_ = *std::move(batcher);
  return warm_up->Wait([](int percent) { spdlog::info("warming up: {}%", percent); });
}

void Server::Parts::AnswerWhileLoading() {
  EventQueue::Event event;
  while (!lifecycle_.has_served()) {
    switch (events_->Wait(Clock::Monotonic()->Now() + kLookUp, &event)) {
      case EventQueue::Got::kEvent:
        events_->Handle(event);
        break;
      case EventQueue::Got::kNothing:
        break;
      case EventQueue::Got::kEnd:
        return;
    }
  }
}

void Server::Parts::MakeMetrics(const ServerInfo& info) {
  // Without a port nobody could read what is counted.
  if (options_.metrics == "off" || options_.metrics_listen == "off") return;
  metrics_ = std::make_unique<PrometheusMetrics>(info);
  reporting_.events = metrics_.get();
  metrics_->SetGauges({.connections = &CountConnections});
  ready_gauge_ = lifecycle_.Observe([metrics = metrics_.get()](LifecycleState state) {
    metrics->SetReady(state == LifecycleState::kServing);
  });
}

absl::Status Server::Parts::StartAdmin(const ServerInfo& info) {
  if (options_.metrics_listen == "off") return absl::OkStatus();
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

absl::Status Server::Parts::StartGrpc(const v1::Limits& limits) {
  absl::StatusOr<GrpcServer> started =
      StartGrpcServer({.listen = options_.listen,
                       .max_message_bytes = limits.max_message_bytes(),
                       .max_connection_age = options_.max_connection_age},
                      {service_.get(), &health_});
  if (!started.ok()) return started.status();
  events_ = std::move(started->events);
  grpc_ = std::move(started->server);
  grpc_address_ = started->address;
  service_->Listen(events_.get());
  health_.Listen(events_.get());
  return absl::OkStatus();
}

void Server::Parts::Drain() {
  // Load balancers look away from here on; calls that come nevertheless are told to go elsewhere.
  if (!lifecycle_.Enter(LifecycleState::kDraining).ok()) return;
  if (grpc_ != nullptr) {
    spdlog::info("draining: new calls are refused, accepted ones have {} to finish",
                 absl::FormatDuration(options_.drain_timeout));
    const Instant deadline = Clock::Monotonic()->Now() + options_.drain_timeout;
    // gRPC's own waiting would count health watches in, which never end. So it gets its turn when
    // our calls have ended, or at once when time is up: it then cancels them, and queued jobs are
    // dropped.
    const bool idle = service_->WaitUntilIdle(deadline);
    if (!idle) spdlog::warn("the drain timeout has passed: what is left is cancelled");
    service_->WaitUntilQuiet(kQuietTime,
                             std::min(deadline, Clock::Monotonic()->Now() + kRefuseTime));
    ShutDown(grpc_.get(), idle ? kCloseTimeout : absl::ZeroDuration());
    grpc_->Wait();
  }
  // Only now: calls that were accepted may have had to be queued until their last one was answered.
  if (metrics_ != nullptr) metrics_->SetGauges({});
  if (batcher_ != nullptr) batcher_->Drain();
  if (events_ != nullptr) events_->Close();
  if (loading_thread_.joinable()) loading_thread_.join();
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
