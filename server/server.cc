#include "server/server.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/version.h"
#include "hellocnn/topology.h"
#include "server/access/access_control.h"
#include "server/http/http_server.h"
#include "server/observability/admin_http/admin_server.h"
#include "server/observability/events.h"
#include "server/observability/logging/request_log.h"
#include "server/observability/prometheus/prometheus_metrics.h"
#include "server/rpc/classifier_v1/classifier_service.h"
#include "server/rpc/classifier_v1/model_control_service.h"
#include "server/rpc/core/admission.h"
#include "server/rpc/core/call_scope.h"
#include "server/rpc/core/guard.h"
#include "server/rpc/health/health_service.h"
#include "server/rpc/open_inference/open_inference_service.h"
#include "server/rpc/reflection/reflection_service.h"
#include "server/rpc/rest/rest_service.h"
#include "server/rpc/transport/grpc/grpc_transport.h"
#include "server/rpc/transport/http2/http2_transport.h"
#include "server/rpc/transport/http2/limits.h"
#include "server/rpc/transport/local/local_calls.h"
#include "server/rpc/transport/transport.h"
#include "server/serving/batch_dispatcher.h"
#include "server/serving/lifecycle.h"
#include "server/serving/model_loader.h"
#include "server/serving/model_manager.h"
#include "server/serving/model_registry.h"
#include "server/serving/request_limits.h"
#include "server/settings.h"
#include "server/tls/tls_credentials.h"
#include "server/watchdog.h"

namespace hellocnn::server {
namespace {

// With gRPC's transport, calls are rejected with a status that sends clients elsewhere until none
// has come for this long. A call that arrives while gRPC itself shuts down is cut off with
// CANCELLED, which tells its client nothing. Clients also get this long to receive the last
// responses.
constexpr absl::Duration kQuietTime = absl::Milliseconds(500);
// If clients never stop, calls are rejected for this long after the last accepted call has ended.
// Such clients look at nothing but the connection, so it should close soon.
constexpr absl::Duration kRejectTime = absl::Seconds(1);

// What a drain may take beyond its timeout: docs/operations.md tells supervisors of 2.5 s, and a
// busy machine takes longer.
constexpr absl::Duration kCloseTime = absl::Seconds(10);

// A pixel as JSON may take so many bytes, such as "-0.42421296, ".
constexpr std::size_t kHttpBytesPerImage = std::size_t{16} * kImagePixels;
// A request to /classify is one picture.
constexpr std::size_t kHttpBytesPerRequest = std::size_t{16} << 20;
constexpr std::size_t kHttpConnections = 1024;
constexpr absl::Duration kHttpSilence = absl::Seconds(60);

void LogTlsFailure(const std::string& peer, const std::string& reason) {
  spdlog::debug("no TLS with {}: {}", peer, reason);
}

// What is known before the model is.
ServerInfo DescribeBuild(const Options& options) {
  return {.version = kVersion,
          .compiler = kCompiler,
          .libtorch = kLibTorchVersion,
          .grpc = GrpcVersion(),
          .workers = options.threads,
          .queue_capacity = options.queue_capacity};
}

// Returns a function that tells `events` which limit of the transport was reached.
std::function<void(Limit)> ReportLimits(Events* events) {
  std::array<ReasonId, kLimitLabels.size()> reasons;
  std::transform(kLimitLabels.begin(), kLimitLabels.end(), reasons.begin(),
                 [events](std::string_view label) {
                   return events->AddReason(ReasonOf::kLimit, std::string(label));
                 });
  return
      [events, reasons](Limit limit) { events->OnLimit(reasons[static_cast<std::size_t>(limit)]); };
}

}  // namespace

// In the order of construction; destroyed in reverse.
class Server::Parts {
 public:
  Parts(const Options& options, ServiceManager* manager) : options_(options), manager_(manager) {}
  ~Parts() { Drain(); }

  absl::Status Start(const Notification* stop);
  void Leave();
  void Drain();
  void LookForModels() { models_->Rescan(); }

  const std::string& grpc_address() const { return grpc_address_; }
  const std::string& metrics_address() const { return metrics_address_; }
  const std::string& http_address() const { return http_address_; }
  const std::string& probe_address() const { return probe_address_; }

 private:
  Events* events() { return metrics_ == nullptr ? NoEvents() : metrics_.get(); }
  // Counts from here on, unless metrics are off.
  void MakeMetrics();
  // See HealthService::Models.
  std::optional<bool> IsModelServed(std::string_view name, std::string_view version) const;
  std::vector<std::pair<std::string, std::string>> ListVersions() const;
  // See OpenInferenceService::Actions.
  ModelTotals TotalsOf(ModelId model) const;
  // Tells the service manager from here on that the workers respond, if it wants to hear it.
  void StartWatchdog();
  // Makes what finds and loads models.
  void MakeModels(const Notification* stop);
  // Opens the admin port and that for probes.
  absl::Status StartAdmin();
  // Makes services_, which registers what their guards count.
  void MakeServices();
  // Returns the services with a guard, if there is an access file.
  std::vector<Service> Guard(std::vector<Service> services) const;
  absl::StatusOr<std::unique_ptr<AdminServer>> StartAdminOn(const std::string& address,
                                                            bool only_probes);
  // Returns the certificates if this port of --tls-ports uses them, or null.
  const TlsCredentials* TlsOf(absl::string_view port) const;
  // Returns what counts and logs connections to an HTTP port that end before they are encrypted.
  std::function<void(const std::string&, const std::string&)> OnTlsFailure() const;
  absl::StatusOr<std::unique_ptr<Transport>> StartTransport(const RequestLimits& limits);
  // Listens. Calls wait until the workers get the events of the transport.
  absl::Status StartGrpc(const RequestLimits& limits);
  // Listens. Calls come at once.
  absl::Status StartHttp();

  const Options options_;
  ServiceManager* const manager_;  // may be null
  const Clock* const clock_ = Clock::Monotonic();
  RequestLog request_log_{
      {.slow = OrForever(options_.log_slow_requests), .sample = options_.access_log_sample},
      clock_};
  Lifecycle lifecycle_;
  ServiceStatus service_status_{
      manager_,
      &lifecycle_,
      {.path = options_.model,
       .drain_time = options_.drain_delay + options_.drain_timeout + kCloseTime}};
  std::string grpc_address_;
  std::string metrics_address_ = "off";
  std::string http_address_ = "off";
  std::string probe_address_ = "off";
  std::unique_ptr<TlsCredentials> tls_;                  // null without certificates
  std::unique_ptr<PrometheusMetrics> metrics_;           // null if metrics are off
  std::unique_ptr<AccessControl> access_;                // null if everybody may do everything
  std::unique_ptr<const Accounting> guard_accounting_;   // set with access_
  std::unique_ptr<Lifecycle::Observation> ready_gauge_;  // ends before metrics_ goes
  ModelRegistry registry_{options_.default_model == "auto" ? "" : options_.default_model};
  std::function<void(Limit)> on_limit_;
  std::unique_ptr<AdminServer> admin_;   // null if it has no port
  std::unique_ptr<AdminServer> probes_;  // the same
  HealthService health_{
      {kClassifierService, kModelControlService, kOpenInferenceService},
      &lifecycle_,
      {.is_served = [this](std::string_view name,
                           std::string_view version) { return IsModelServed(name, version); },
       .list = [this] { return ListVersions(); }}};
  std::unique_ptr<ReflectionService> reflection_;  // null if it is off
  Admission admission_{&lifecycle_, clock_};
  std::unique_ptr<ClassifierService> classifier_;
  std::unique_ptr<ModelControlService> model_control_;
  std::unique_ptr<OpenInferenceService> open_inference_;
  std::vector<Service> services_;  // of the transport, until it starts
  std::unique_ptr<Transport> transport_;
  // Null without a port for HTTP.
  std::unique_ptr<LocalCalls> local_calls_;
  std::unique_ptr<RestService> rest_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<BatchDispatcher> dispatcher_;
  std::atomic<bool> stop_loading_{false};
  std::unique_ptr<ModelLoader> loader_;
  std::unique_ptr<ModelManager> models_;
  std::unique_ptr<Watchdog> watchdog_;  // null if nobody wants to hear of it
};

// What can be wrong with the model is found before a port is opened: a bad roll-out never looks
// alive. The port for calls opens only when they can be served, so clients and balancers that look
// at nothing else go to another server until then.
absl::Status Server::Parts::Start(const Notification* stop) {
  absl::StatusOr<std::unique_ptr<TlsCredentials>> tls = LoadTls(options_);
  if (!tls.ok()) return tls.status();
  tls_ = *std::move(tls);
  MakeMetrics();
  absl::StatusOr<std::unique_ptr<AccessControl>> access = StartAccess(options_);
  if (!access.ok()) return access.status();
  access_ = *std::move(access);
  absl::StatusOr<std::unique_ptr<BatchDispatcher>> dispatcher =
      BatchDispatcher::Start(options_.threads, options_.max_batch_size, events(), clock_);
  if (!dispatcher.ok()) return dispatcher.status();
  dispatcher_ = *std::move(dispatcher);

  MakeModels(stop);
  // Before the admin port opens: they register methods and limits, whose series are there from the
  // start.
  const RequestLimits limits = MakeLimits(options_);
  on_limit_ = ReportLimits(events());
  const Accounting accounting(events(), clock_, &request_log_);
  guard_accounting_ = std::make_unique<const Accounting>(accounting);
  classifier_ = std::make_unique<ClassifierService>(limits, accounting, &admission_, &registry_,
                                                    [this] { return models_->List(); });
  model_control_ = std::make_unique<ModelControlService>(
      options_.model_control == "on", accounting,
      ModelControlService::Actions{
          .poll = [this] { models_->Rescan(); },
          .roll_back = [this](std::string_view model) { return models_->RollBack(model); },
          .undo_rollback =
              [this](std::string_view model) { return models_->UndoRollback(model); }});
  open_inference_ = std::make_unique<OpenInferenceService>(
      limits, options_.max_queue_delay, accounting, &admission_, &lifecycle_, &registry_,
      OpenInferenceService::Actions{
          .list = [this] { return models_->List(); },
          .totals = metrics_ == nullptr ? std::function<ModelTotals(ModelId)>()
                                        : [this](ModelId model) { return TotalsOf(model); },
          .poll = options_.model_control == "on"
                      ? std::function<void()>([this] { models_->Rescan(); })
                      : nullptr});
  MakeServices();
  absl::Status status = models_->Start([this] {
    absl::Status admin = StartAdmin();
    if (admin.ok()) {
      spdlog::info("metrics {}; warming {} workers up, batches of up to {} images",
                   metrics_address_, options_.threads, options_.max_batch_size);
    }
    return admin;
  });
  if (!status.ok()) return status;
  if (status = registry_.Default().status(); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat("option default-model: ", status.message()));
  }
  if (status = StartGrpc(limits); !status.ok()) return status;
  status = lifecycle_.Enter(LifecycleState::kServing);
  // Calls that have come in the meantime have waited for this.
  dispatcher_->pool().Attach(transport_->events());
  if (!status.ok()) return status;
  if (status = StartHttp(); !status.ok()) return status;
  if (status = models_->Watch(); !status.ok()) return status;
  spdlog::info("ready, listening on {}", grpc_address_);
  service_status_.OnReady(grpc_address_, models_->List());
  StartWatchdog();
  return absl::OkStatus();
}

void Server::Parts::StartWatchdog() {
  if (manager_ == nullptr || !manager_->watchdog().has_value()) return;
  watchdog_ = std::make_unique<Watchdog>(
      *manager_->watchdog(),
      [this](Instant deadline) { return dispatcher_->pool().AllRespond(deadline); },
      [this] { manager_->Tell("WATCHDOG=1"); });
}

void Server::Parts::MakeModels(const Notification* stop) {
  loader_ = std::make_unique<ModelLoader>(
      ModelLoader::Options{
          .engine = options_.engine,
          .queue = {.max_batch_size = options_.max_batch_size,
                    .capacity = options_.queue_capacity,
                    .max_delay = options_.max_queue_delay,
                    .policy =
                        options_.queue_policy == "fifo" ? QueuePolicy::kFifo : QueuePolicy::kFair},
          .allow_degenerate = options_.allow_degenerate_model == "on"},
      dispatcher_.get(), events(), clock_, [this, stop] {
        // Whoever waits for Start may be told to stop; after it, `stop` may be gone.
        if (lifecycle_.state() != LifecycleState::kLoading) return stop_loading_.load();
        return stop != nullptr && stop->HasBeenNotified();
      });
  models_ = std::make_unique<ModelManager>(
      ModelManager::Options{.path = options_.model,
                            .policy = VersionPolicy::Parse(options_.model_versions).value(),
                            .interval = OrForever(options_.model_poll_interval),
                            .rollback_window = options_.rollback_window,
                            .on_change =
                                [this] {
                                  health_.OnModelsChanged();
                                  service_status_.OnModels(models_->List());
                                }},
      loader_.get(), &registry_, dispatcher_.get(), events(), clock_);
}

std::optional<bool> Server::Parts::IsModelServed(std::string_view name,
                                                 std::string_view version) const {
  if (registry_.Find(name, version).ok()) return true;
  for (const ModelStatus& status : models_->List()) {
    if (status.name == name && (version.empty() || status.version == version)) return false;
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> Server::Parts::ListVersions() const {
  std::vector<std::pair<std::string, std::string>> versions;
  for (const ModelStatus& status : models_->List()) {
    versions.emplace_back(status.name, status.version);
  }
  return versions;
}

ModelTotals Server::Parts::TotalsOf(ModelId model) const {
  const ModelOverview counted = metrics_->overview(model);
  return {.images = static_cast<std::uint64_t>(counted.images),
          .batches = static_cast<std::uint64_t>(counted.batches),
          .succeeded = static_cast<std::uint64_t>(counted.ok_requests),
          .failed = static_cast<std::uint64_t>(counted.failed_requests),
          .request_time = counted.request_time,
          .queue_time = counted.queue_time,
          .compute_time = counted.compute_time};
}

void Server::Parts::MakeMetrics() {
  // Without a port nobody could read what is counted.
  if (options_.metrics == "off" || options_.metrics_listen == "off") return;
  metrics_ = std::make_unique<PrometheusMetrics>(DescribeBuild(options_));
  ready_gauge_ = lifecycle_.Observe([metrics = metrics_.get()](LifecycleState state) {
    metrics->SetReady(state == LifecycleState::kServing);
  });
}

const TlsCredentials* Server::Parts::TlsOf(absl::string_view port) const {
  return UsesTls(options_, port) ? tls_.get() : nullptr;
}

std::function<void(const std::string&, const std::string&)> Server::Parts::OnTlsFailure() const {
  return [on_limit = on_limit_](const std::string& peer, const std::string& reason) {
    on_limit(Limit::kTlsHandshake);
    LogTlsFailure(peer, reason);
  };
}

absl::Status Server::Parts::StartAdmin() {
  if (options_.metrics_listen != "off") {
    absl::StatusOr<std::unique_ptr<AdminServer>> admin =
        StartAdminOn(options_.metrics_listen, /*only_probes=*/false);
    if (!admin.ok()) return admin.status();
    admin_ = *std::move(admin);
    metrics_address_ = WithPort(options_.metrics_listen, admin_->port());
  }
  if (options_.probe_listen != "off") {
    absl::StatusOr<std::unique_ptr<AdminServer>> probes =
        StartAdminOn(options_.probe_listen, /*only_probes=*/true);
    if (!probes.ok()) return probes.status();
    probes_ = *std::move(probes);
    probe_address_ = WithPort(options_.probe_listen, probes_->port());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<AdminServer>> Server::Parts::StartAdminOn(const std::string& address,
                                                                         bool only_probes) {
  const auto readiness = [this]() -> AdminServer::Readiness {
    const LifecycleState state = lifecycle_.state();
    const absl::StatusOr<ServableHandle> model = registry_.Default();
    return {.ready = state == LifecycleState::kServing,
            .state = NameOf(state),
            .model = model.ok() ? absl::StrCat((*model)->name(), ", version ", (*model)->version(),
                                               ", on ", (*model)->engine())
                                : std::string(model.status().message())};
  };
  const auto check = [access = access_.get()](const HttpRequest& request) {
    const auto principal = access->Authenticate({.authorization = request.Header("authorization"),
                                                 .certificate_names = request.certificate_names});
    return principal.ok() ? (*principal)->CheckRight(Right::kObserve) : principal.status();
  };
  return AdminServer::Start(
      {.address = address,
       .only_probes = only_probes,
       .tls = only_probes ? nullptr : TlsOf("metrics"),
       .on_tls_failure = OnTlsFailure(),
       .info = DescribeBuild(options_),
       .readiness = readiness,
       .metrics = metrics_.get(),
       .check = access_ == nullptr ? std::function<absl::Status(const HttpRequest&)>() : check});
}

std::vector<Service> Server::Parts::Guard(std::vector<Service> services) const {
  if (access_ == nullptr) return services;
  return Guarded(access_.get(), guard_accounting_.get(), std::move(services));
}

void Server::Parts::MakeServices() {
  services_ = {classifier_->Describe(), model_control_->Describe(), open_inference_->Describe(),
               health_.Describe()};
  if (options_.reflection == "on") {
    std::vector<std::string> names;
    names.reserve(services_.size());
    for (const Service& service : services_) names.push_back(service.name);
    reflection_ = std::make_unique<ReflectionService>(std::move(names));
    for (Service& service : reflection_->Describe()) services_.push_back(std::move(service));
  }
  services_ = Guard(std::move(services_));
}

absl::StatusOr<std::unique_ptr<Transport>> Server::Parts::StartTransport(
    const RequestLimits& limits) {
  if (options_.transport == "grpc") {
    return StartGrpcTransport({.listen = options_.listen,
                               .max_message_bytes = limits.max_message_bytes,
                               .max_connection_age = options_.max_connection_age},
                              services_);
  }
  const absl::StatusOr<Http2Limits> http2_limits = MakeHttp2Limits(options_, limits);
  if (!http2_limits.ok()) return http2_limits.status();
  return StartHttp2Transport({.listen = options_.listen,
                              .limits = *http2_limits,
                              .max_connection_age = options_.max_connection_age,
                              .tls = TlsOf("grpc"),
                              .on_tls_failure = LogTlsFailure,
                              .on_limit = on_limit_},
                             std::move(services_));
}

absl::Status Server::Parts::StartGrpc(const RequestLimits& limits) {
  absl::StatusOr<std::unique_ptr<Transport>> transport = StartTransport(limits);
  if (!transport.ok()) return transport.status();
  transport_ = *std::move(transport);
  grpc_address_ = transport_->address();
  // Only now: scrapes, which the admin port already serves, read what exists.
  if (metrics_ != nullptr) {
    metrics_->SetGauges(
        {.queued_images = [this](ModelId model) { return dispatcher_->queued_images(model); },
         .connections = [this] { return transport_->connections(); }});
  }
  return absl::OkStatus();
}

absl::Status Server::Parts::StartHttp() {
  if (options_.http_listen == "off") return absl::OkStatus();
  const std::size_t memory = static_cast<std::size_t>(options_.buffer_memory) << 20;
  local_calls_ =
      std::make_unique<LocalCalls>(Guard({classifier_->Describe(), open_inference_->Describe()}));
  rest_ = std::make_unique<RestService>(
      local_calls_.get(), &registry_,
      options_.http_cors_origin == "off" ? "" : options_.http_cors_origin, access_.get());
  absl::StatusOr<std::unique_ptr<HttpServer>> http = HttpServer::Start(
      {.address = options_.http_listen,
       .methods = {"GET", "HEAD", "POST", "OPTIONS"},
       .threads = options_.threads,
       .connections = kHttpConnections,
       .silence = kHttpSilence,
       .keep_alive = true,
       .body_bytes =
           std::min(memory, kHttpBytesPerRequest +
                                kHttpBytesPerImage *
                                    static_cast<std::size_t>(options_.max_images_per_request)),
       .memory_bytes = memory,
       .tls = TlsOf("http"),
       .on_tls_failure = OnTlsFailure(),
       .error = [this](unsigned status,
                       const std::string& what) { return rest_->Reject(status, what); }},
      [this](const HttpRequest& request, HttpServer::Responder respond) {
        rest_->Handle(request, std::move(respond));
      });
  if (!http.ok()) return http.status();
  http_ = *std::move(http);
  http_address_ = WithPort(options_.http_listen, http_->port());
  spdlog::info("HTTP on {}", http_address_);
  if (tls_ != nullptr && TlsOf("http") == nullptr) {
    spdlog::warn("the HTTP port {} has no TLS: the option tls-ports leaves http out",
                 http_address_);
  }
  return absl::OkStatus();
}

void Server::Parts::Leave() {
  // Load balancers look away from here on. Health is first: clients that are asked to go may look
  // there whether to come back.
  if (!lifecycle_.Enter(LifecycleState::kLeaving).ok()) return;
  spdlog::info("leaving: health says NOT_SERVING, and clients are asked to go elsewhere");
  transport_->GoAway();
}

void Server::Parts::Drain() {
  Leave();
  stop_loading_ = true;
  if (models_ != nullptr) models_->AskToStop();
  // Before calls are rejected, so that none has to be.
  if (transport_ != nullptr) transport_->StopAccepting();
  if (!lifecycle_.Enter(LifecycleState::kDraining).ok()) return;
  if (transport_ != nullptr) {
    spdlog::info("draining: accepted calls have {} to finish",
                 absl::FormatDuration(options_.drain_timeout));
    const Instant deadline = clock_->Now() + options_.drain_timeout;
    // If time is up, Stop cancels the calls that are left, and queued jobs are dropped.
    const bool idle = admission_.WaitUntilIdle(deadline);
    if (!idle) spdlog::warn("the drain timeout has passed: what is left is cancelled");
    admission_.WaitUntilQuiet(kQuietTime, std::min(deadline, clock_->Now() + kRejectTime));
    if (local_calls_ != nullptr) local_calls_->CancelAll();
    // There is nothing left to wait for. While gRPC waits, it responds to new calls with CANCELLED.
    // Idle clients make such calls, because they notice that the server has said goodbye only with
    // their next call. A closed connection is UNAVAILABLE to them.
    transport_->Stop(absl::ZeroDuration());
    http_ = nullptr;
  }
  // Only now: calls that were accepted may have had to be queued until their last one was answered.
  if (metrics_ != nullptr) metrics_->SetGauges({});
  // It may wait for a file system, which nobody's request should.
  if (models_ != nullptr) models_->Stop();
  watchdog_ = nullptr;  // workers that have ended do not respond
  if (dispatcher_ != nullptr) dispatcher_->Stop();
  lifecycle_.Enter(LifecycleState::kStopped).IgnoreError();
  spdlog::info("drained");
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options,
                                                      const Notification* stop,
                                                      ServiceManager* manager) {
  absl::Status status = options.Validate();
  if (!status.ok()) return status;
  auto parts = std::make_unique<Parts>(options, manager);
  status = parts->Start(stop);
  if (!status.ok()) return status;
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() = default;

void Server::Leave() { parts_->Leave(); }
void Server::Drain() { parts_->Drain(); }
void Server::LookForModels() { parts_->LookForModels(); }
const std::string& Server::grpc_address() const { return parts_->grpc_address(); }
const std::string& Server::metrics_address() const { return parts_->metrics_address(); }
const std::string& Server::http_address() const { return parts_->http_address(); }
const std::string& Server::probe_address() const { return parts_->probe_address(); }

}  // namespace hellocnn::server
