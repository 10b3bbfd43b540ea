#include "server/rpc/transport/local/local_calls.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <atomic>
#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "server/rpc/transport/idle_calls.h"
#include "server/rpc/transport/messages.h"

namespace hellocnn::server {

class LocalCalls::LocalMessage final : public Message {
 public:
  std::size_t size() const override { return bytes_.size(); }
  google::protobuf::io::ZeroCopyInputStream* Pieces() override {
    return &pieces_.emplace(bytes_.data(), static_cast<int>(bytes_.size()));
  }
  std::span<std::uint8_t> Allocate(std::size_t size) override {
    bytes_.assign(size, '\0');
    return {reinterpret_cast<std::uint8_t*>(bytes_.data()), size};
  }
  void Clear() override {
    pieces_.reset();
    std::string().swap(bytes_);
  }
  void Set(std::string bytes) { bytes_ = std::move(bytes); }
  std::string Take() { return std::exchange(bytes_, std::string()); }

 private:
  std::string bytes_;
  std::optional<google::protobuf::io::ArrayInputStream> pieces_;
};

struct LocalCalls::Method {
  const UnaryMethod* method;
  IdleCalls<LocalRpc> idle;
};

// Two hold a call from its start: Call, until OnCall has returned, and the handler, until Finish.
class LocalCalls::LocalRpc final : public UnaryRpc {
 public:
  LocalRpc(LocalCalls* calls, Method* method)
      : calls_(calls), method_(method), handler_(method->method->make_handler(this)) {}

  void Start(Request request, Done done) {
    request_ = std::move(request);
    message_.Set(std::move(request_.bytes));
    set_principal(request_.principal);
    done_ = std::move(done);
    holders_.store(2, std::memory_order_relaxed);
    is_finished_ = false;
    handler_->OnCall();
    bool cancel = false;
    {
      MutexLock lock(&calls_->mutex_);
      if (!is_finished_) {
        cancel = calls_->is_cancelling_;
        if (!cancel) calls_->calls_.insert(this);
      }
    }
    if (cancel) handler_->OnCancel();
    Release();
  }
  void Cancel() { handler_->OnCancel(); }

  Instant deadline() const override { return Instant::InfiniteFuture(); }
  std::uint64_t caller() const override { return request_.caller; }
  std::optional<std::string_view> Metadata(std::string_view key) const override {
    const auto found = request_.metadata.find(key);
    if (found == request_.metadata.end()) return std::nullopt;
    return found->second;
  }
  std::string Peer() const override { return request_.peer; }
  std::vector<std::string> CertificateNames() const override { return request_.certificate_names; }
  void AddInitialMetadata(std::string_view /*key*/, std::string_view /*value*/) override {}

  Message* request() override { return &message_; }
  Message* response() override { return &response_; }
  using Rpc::Finish;
  // The status holds what the trailers say.
  void Finish(const absl::Status& status, std::span<const Trailer> /*trailers*/) override {
    {
      MutexLock lock(&calls_->mutex_);
      is_finished_ = true;
      calls_->calls_.erase(this);
    }
    message_.Clear();
    const Done done = std::exchange(done_, nullptr);
    Response response{status, status.ok() ? response_.Take() : std::string()};
    Release();
    done(std::move(response));
  }
  void Hold() override { holders_.fetch_add(1, std::memory_order_relaxed); }
  void Release() override {
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) > 1) return;
    handler_->OnEnd();
    response_.Clear();
    request_ = {};
    method_->idle.Put(std::unique_ptr<LocalRpc>(this));
  }

 private:
  LocalCalls* const calls_;
  Method* const method_;
  const std::unique_ptr<CallHandler> handler_;
  Request request_;  // without its bytes
  LocalMessage message_;
  LocalMessage response_;
  Done done_;
  std::atomic<int> holders_{0};
  bool is_finished_ = false;  // under the mutex of calls_
};

LocalCalls::LocalCalls(std::vector<Service> services) : services_(std::move(services)) {
  for (const Service& service : services_) {
    for (const UnaryMethod& method : service.unary) {
      auto& added = methods_[absl::StrCat("/", service.name, "/", method.name)];
      added = std::make_unique<Method>();
      added->method = &method;
    }
  }
}

LocalCalls::~LocalCalls() = default;

void LocalCalls::Call(Request request, Done done) {
  const auto found = methods_.find(request.path);
  if (found == methods_.end()) return done({NoSuchMethod(request.path, services_), ""});
  Method& method = *found->second;
  std::unique_ptr<LocalRpc> rpc = method.idle.Take();
  if (rpc == nullptr) rpc = std::make_unique<LocalRpc>(this, &method);
  rpc.release()->Start(std::move(request), std::move(done));
}

void LocalCalls::CancelAll() {
  std::vector<LocalRpc*> cancelled;
  {
    MutexLock lock(&mutex_);
    is_cancelling_ = true;
    for (LocalRpc* rpc : calls_) {
      rpc->Hold();  // it has not finished, so it is still held
      cancelled.push_back(rpc);
    }
    calls_.clear();
  }
  for (LocalRpc* rpc : cancelled) {
    rpc->Cancel();
    rpc->Release();
  }
}

}  // namespace hellocnn::server
