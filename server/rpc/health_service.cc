#include "server/rpc/health_service.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "server/rpc/async_call.h"
#include "server/rpc/bytes.h"
#include "server/rpc/status.h"

namespace hellocnn::server {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class CheckCall final : public UnaryCall {
 public:
  static void Listen(HealthService* health, CompletionEvents* events) {
    auto* call = new CheckCall(health, events);
    call->UnaryCall::Listen(health, &HealthService::RequestCheck);
  }

 private:
  CheckCall(HealthService* health, CompletionEvents* events) : UnaryCall(events), health_(health) {}

  void OnCall() override {
    Listen(health_, events());
    HealthCheckRequest asked;
    const absl::Status parsed = Parse(request(), &asked);
    if (!parsed.ok()) return FinishWithError(ToGrpc(parsed));
    HealthCheckResponse answer;
    answer.set_status(health_->StateOf(asked.service()));
    if (answer.status() == HealthCheckResponse::SERVICE_UNKNOWN) {
      FinishWithError(grpc::Status(grpc::StatusCode::NOT_FOUND,
                                   absl::StrCat("no service '", asked.service(), "' here")));
    } else {
      Finish(Serialize(answer));
    }
  }

  HealthService* const health_;
};

// Writes the state, and writes it again whenever the last write has ended and the state has
// changed.
class WatchCall final : public AsyncCall,
                        public HealthService::Watcher,
                        public std::enable_shared_from_this<WatchCall> {
 public:
  static void Listen(HealthService* health, CompletionEvents* events) {
    std::shared_ptr<WatchCall> call(new WatchCall(health, events));
    WatchCall* const listening = call.get();
    listening->self_ = std::move(call);
    listening->Begin();
    listening->writer_.emplace(&listening->context());
    grpc::ServerCompletionQueue* const queue = events->queue();
    health->RequestWatch(&listening->context(), &listening->request_, &*listening->writer_, queue,
                         queue, listening->arrived_tag());
  }

  void OnChange() override { Step(); }

 private:
  WatchCall(HealthService* health, CompletionEvents* events) : AsyncCall(events), health_(health) {}

  void OnCall() override {
    Listen(health_, events());
    health_->AddWatcher(shared_from_this());
    Step();
  }
  void Written(bool /*ok*/) {
    {
      MutexLock lock(&mutex_);
      writing_ = false;
    }
    Step();
    Release();
  }
  void OnCancel() override {
    {
      MutexLock lock(&mutex_);
      cancelled_ = true;
    }
    Step();
  }
  void OnDone() override { health_->RemoveWatcher(shared_from_this()); }
  void Dispose() override { const std::shared_ptr<WatchCall> last = std::move(self_); }

  // Writes the state if it has changed, or finishes if the caller or the server is going away. Does
  // neither while a write is outstanding.
  void Step() ABSL_LOCKS_EXCLUDED(mutex_) {
    bool finish;
    {
      MutexLock lock(&mutex_);
      if (writing_ || finished_) return;
      finish = finished_ = cancelled_;
      if (!finish) {
        const HealthService::State state = health_->StateOf(request_.service());
        if (state == response_.status()) return;
        response_.set_status(state);
        writing_ = true;
        Hold();
      }
    }
    if (finish) {
      writer_->Finish(grpc::Status::CANCELLED, finished_tag());
    } else {
      writer_->Write(response_, written_.tag());
    }
  }

  HealthService* const health_;
  std::shared_ptr<WatchCall> self_;  // until Dispose
  HealthCheckRequest request_;
  HealthCheckResponse response_;  // the last response written; UNKNOWN before the first
  std::optional<grpc::ServerAsyncWriter<HealthCheckResponse>> writer_;
  CompletionOf<WatchCall> written_{this, &WatchCall::Written};

  Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

HealthService::HealthService(std::vector<std::string> services, Lifecycle* lifecycle)
    : services_(std::move_iterator(services.begin()), std::move_iterator(services.end())),
      lifecycle_(lifecycle),
      observation_(lifecycle->Observe([this](LifecycleState) { TellWatchers(); })) {}

void HealthService::Listen(CompletionEvents* events) {
  CheckCall::Listen(this, events);
  WatchCall::Listen(this, events);
}

void HealthService::TellWatchers() {
  std::set<std::shared_ptr<Watcher>> watchers;
  {
    MutexLock lock(&mutex_);
    watchers = watchers_;
  }
  for (const std::shared_ptr<Watcher>& watcher : watchers) watcher->OnChange();
}

HealthService::State HealthService::StateOf(const std::string& service) const {
  if (!service.empty() && !services_.contains(service)) return HealthCheckResponse::SERVICE_UNKNOWN;
  return lifecycle_->state() == LifecycleState::kServing ? HealthCheckResponse::SERVING
                                                         : HealthCheckResponse::NOT_SERVING;
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
