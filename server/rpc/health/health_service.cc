#include "server/rpc/health/health_service.h"

#include <cstddef>
#include <span>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "server/rpc/transport/messages.h"

namespace hellocnn::server {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using grpc::health::v1::HealthListRequest;
using grpc::health::v1::HealthListResponse;

constexpr char kModels[] = "models/";
constexpr char kVersions[] = "/versions/";

absl::StatusOr<HealthCheckResponse> Respond(const HealthService& health,
                                            const HealthCheckRequest& request) {
  HealthCheckResponse response;
  response.set_status(health.StateOf(request.service()));
  if (response.status() == HealthCheckResponse::SERVICE_UNKNOWN) {
    return absl::NotFoundError(absl::StrCat("no service '", request.service(), "' here"));
  }
  return response;
}

absl::StatusOr<HealthListResponse> Respond(const HealthService& health,
                                           const HealthListRequest& /*request*/) {
  HealthListResponse response;
  for (const std::string& name : health.ListNames()) {
    const HealthService::State state = health.StateOf(name);
    // A model may have gone since it was listed.
    if (state == HealthCheckResponse::SERVICE_UNKNOWN) continue;
    (*response.mutable_statuses())[name].set_status(state);
  }
  return response;
}

// Responds to a Request at once.
template <typename Request>
class DirectHealthCall final : public CallHandler {
 public:
  DirectHealthCall(const HealthService* health, UnaryRpc* rpc) : health_(health), rpc_(rpc) {}

 private:
  void OnCall() override { rpc_->Finish(Respond()); }

  absl::Status Respond() {
    Request request;
    absl::Status parsed = Parse(rpc_->request(), &request);
    if (!parsed.ok()) return parsed;
    const auto response = hellocnn::server::Respond(*health_, request);
    if (response.ok()) Serialize(*response, rpc_->response());
    return response.status();
  }

  const HealthService* const health_;
  UnaryRpc* const rpc_;
};

// Reads the request and writes the state, and writes it again whenever the last write has ended and
// the state has changed.
class WatchCall final : public StreamHandler,
                        public HealthService::Watcher,
                        public std::enable_shared_from_this<WatchCall> {
 public:
  WatchCall(HealthService* health, StreamRpc* rpc)
      : health_(health), rpc_(rpc), message_(rpc->MakeMessage()) {}

  void OnChange() override { Step(); }

 private:
  void OnCall() override { rpc_->Read(message_.get()); }
  void OnRead(bool ok) override {
    absl::Status parsed;
    if (ok) {
      parsed = Parse(message_.get(), &request_);
    } else {
      parsed = absl::InvalidArgumentError("the call has no request");
    }
    if (parsed.ok()) health_->AddWatcher(shared_from_this());
    {
      MutexLock lock(&mutex_);
      reading_ = false;
      if (!parsed.ok() && end_.ok()) end_ = parsed;
    }
    Step();
  }
  void OnWritten(bool /*ok*/) override {
    {
      MutexLock lock(&mutex_);
      writing_ = false;
    }
    Step();
  }
  void OnCancel() override {
    {
      MutexLock lock(&mutex_);
      if (end_.ok())
        end_ = absl::CancelledError("the watch was cancelled, or the server shuts down");
    }
    Step();
  }
  void OnEnd() override { health_->RemoveWatcher(shared_from_this()); }

  // Writes the state if it has changed, or finishes if the call is to end. Does neither while an
  // operation is outstanding. A watch that begins while the server drains gets no state: after one,
  // clients begin the next watch without a pause.
  void Step() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::Status end;
    {
      MutexLock lock(&mutex_);
      if (reading_ || writing_ || finished_) return;
      end = end_;
      if (end.ok() && health_->is_final() && response_.status() != HealthCheckResponse::SERVING) {
        end = absl::UnavailableError("server is draining");
      }
      finished_ = !end.ok();
      if (!finished_) {
        const HealthService::State state = health_->StateOf(request_.service());
        if (state == response_.status()) return;
        response_.set_status(state);
        Serialize(response_, message_.get());
        writing_ = true;
      }
    }
    if (end.ok()) {
      rpc_->Write(message_.get());
    } else {
      rpc_->Finish(end);
    }
  }

  HealthService* const health_;
  StreamRpc* const rpc_;
  const std::unique_ptr<Message> message_;  // the request, and then one response after the other
  HealthCheckRequest request_;
  HealthCheckResponse response_;  // the last response written; UNKNOWN before the first

  Mutex mutex_;
  bool reading_ ABSL_GUARDED_BY(mutex_) = true;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);  // not OK once the call is to end
};

}  // namespace

HealthService::HealthService(std::vector<std::string> services, Lifecycle* lifecycle, Models models)
    : services_(std::move_iterator(services.begin()), std::move_iterator(services.end())),
      lifecycle_(lifecycle),
      models_(std::move(models)),
      observation_(lifecycle->Observe([this](LifecycleState) { TellWatchers(); })) {}

Service HealthService::Describe() {
  const auto direct = [this]<typename Request>(const char* name, const Request&, Right right) {
    return UnaryMethod{.name = name,
                       .make_handler =
                           [this](UnaryRpc* rpc) {
                             return std::make_unique<DirectHealthCall<Request>>(this, rpc);
                           },
                       .right = right};
  };
  return {
      .name = "grpc.health.v1.Health",
      .unary = {direct("Check", HealthCheckRequest(), Right::kNone),
                direct("List", HealthListRequest(), Right::kIntrospect)},
      .streams = {{.name = "Watch",
                   .make_handler =
                       [this](StreamRpc* rpc) { return std::make_shared<WatchCall>(this, rpc); },
                   .right = Right::kNone}}};
}

void HealthService::TellWatchers() {
  std::set<std::shared_ptr<Watcher>> watchers;
  {
    MutexLock lock(&mutex_);
    watchers = watchers_;
  }
  for (const std::shared_ptr<Watcher>& watcher : watchers) watcher->OnChange();
}

std::optional<bool> HealthService::IsModelServed(std::string_view service) const {
  if (!service.starts_with(kModels)) return std::nullopt;
  const std::string_view name = service.substr(std::string_view(kModels).size());
  if (name.empty()) return std::nullopt;
  // A name may have a slash, if it is from a model card.
  if (const std::optional<bool> served = models_.is_served(name, {}); served.has_value())
    return served;
  const std::size_t at = name.rfind(kVersions);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view version = name.substr(at + std::string_view(kVersions).size());
  if (at == 0 || version.empty()) return std::nullopt;
  return models_.is_served(name.substr(0, at), version);
}

HealthService::State HealthService::StateOf(const std::string& service) const {
  if (!service.empty() && !services_.contains(service)) {
    const std::optional<bool> served = IsModelServed(service);
    if (!served.has_value()) return HealthCheckResponse::SERVICE_UNKNOWN;
    if (!*served) return HealthCheckResponse::NOT_SERVING;
  }
  return lifecycle_->state() == LifecycleState::kServing ? HealthCheckResponse::SERVING
                                                         : HealthCheckResponse::NOT_SERVING;
}

std::set<std::string> HealthService::ListNames() const {
  std::set<std::string> names = services_;
  names.insert("");
  for (const auto& [name, version] : models_.list()) {
    names.insert(absl::StrCat(kModels, name));
    if (!version.empty()) names.insert(absl::StrCat(kModels, name, kVersions, version));
  }
  return names;
}

void HealthService::AddWatcher(const std::shared_ptr<Watcher>& watcher) {
  MutexLock lock(&mutex_);
  watchers_.insert(watcher);
}

void HealthService::RemoveWatcher(const std::shared_ptr<Watcher>& watcher) {
  MutexLock lock(&mutex_);
  watchers_.erase(watcher);
}

}  // namespace hellocnn::server
