#include "server/rpc/core/guard.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/error_details.h"
#include "server/access/access_policy.h"
#include "server/access/principal.h"

namespace hellocnn::server {
namespace {

// What all guards of a method share.
struct Gate {
  const AccessControl* access;
  const Accounting* accounting;
  ServedMethod method;
  Right right;
};

// Finds out who calls, and whether they may.
std::optional<Rejection> Identify(const Gate& gate, Rpc* rpc) {
  if (rpc->principal() == nullptr) {
    absl::StatusOr<std::shared_ptr<const Principal>> principal =
        gate.access->Authenticate({.authorization = rpc->Metadata("authorization"),
                                   .certificate_names = rpc->CertificateNames()});
    if (!principal.ok()) return Rejection::Unauthenticated(principal.status());
    rpc->set_principal(*std::move(principal));
  }
  absl::Status may = rpc->principal()->CheckRight(gate.right);
  if (!may.ok()) return Rejection::Denied(std::move(may));
  return std::nullopt;
}

// Ends a call of a caller who may not make it. The call may be gone when the function returns.
void EndRejected(const Gate& gate, const Rejection& rejection, std::size_t bytes, Rpc* rpc) {
  CallScope scope;
  scope.Begin(gate.accounting, gate.method, rpc->deadline(), bytes);
  scope.OnRejected(rejection.reason);
  scope.OnReady(rejection.status, *rpc);
  scope.End(0);
  rpc->Finish(rejection.status);
}

class GuardedCall final : public CallHandler {
 public:
  GuardedCall(const Gate* gate, UnaryRpc* rpc, std::unique_ptr<CallHandler> handler)
      : gate_(gate), rpc_(rpc), handler_(std::move(handler)) {}

 private:
  void OnCall() override {
    const std::optional<Rejection> rejection = Identify(*gate_, rpc_);
    is_let_in_ = !rejection.has_value();
    if (is_let_in_) return handler_->OnCall();
    EndRejected(*gate_, *rejection, rpc_->request()->size(), rpc_);
  }
  void OnCancel() override {
    if (is_let_in_) handler_->OnCancel();
  }
  void OnEnd() override {
    if (is_let_in_) handler_->OnEnd();
    rpc_->set_principal(nullptr);  // the next call may be somebody else's
  }

  const Gate* const gate_;
  UnaryRpc* const rpc_;
  const std::unique_ptr<CallHandler> handler_;
  bool is_let_in_ = false;
};

class GuardedStream final : public StreamHandler {
 public:
  GuardedStream(const Gate* gate, StreamRpc* rpc, const StreamMethod* method)
      : gate_(gate), rpc_(rpc), method_(method) {}

 private:
  void OnCall() override {
    const std::optional<Rejection> rejection = Identify(*gate_, rpc_);
    if (rejection.has_value()) return EndRejected(*gate_, *rejection, 0, rpc_);
    handler_ = method_->make_handler(rpc_);
    handler_->OnCall();
  }
  void OnRead(bool ok) override { handler_->OnRead(ok); }
  void OnWritten(bool ok) override { handler_->OnWritten(ok); }
  void OnCancel() override {
    if (handler_ != nullptr) handler_->OnCancel();
  }
  void OnEnd() override {
    if (handler_ != nullptr) handler_->OnEnd();
  }

  const Gate* const gate_;
  StreamRpc* const rpc_;
  const StreamMethod* const method_;
  std::shared_ptr<StreamHandler> handler_;  // null for who is not let in
};

std::shared_ptr<const Gate> MakeGate(const AccessControl* access, const Accounting* accounting,
                                     const std::string& service, const std::string& method,
                                     const std::string& counted_as, Right right) {
  const MethodId id =
      accounting->events->AddMethod({.service = service,
                                     .method = counted_as.empty() ? method : counted_as,
                                     .takes_images = right == Right::kClassify});
  return std::make_shared<const Gate>(Gate{access, accounting, {.id = id, .name = method}, right});
}

}  // namespace

std::vector<Service> Guarded(const AccessControl* access, const Accounting* accounting,
                             std::vector<Service> services) {
  for (Service& service : services) {
    for (UnaryMethod& method : service.unary) {
      if (method.right == Right::kNone) continue;
      const auto inner = std::make_shared<const UnaryMethod>(method);
      const auto gate =
          MakeGate(access, accounting, service.name, inner->name, inner->counted_as, inner->right);
      method.make_handler = [inner, gate](UnaryRpc* rpc) {
        return std::make_unique<GuardedCall>(gate.get(), rpc, inner->make_handler(rpc));
      };
    }
    for (StreamMethod& method : service.streams) {
      if (method.right == Right::kNone) continue;
      const auto inner = std::make_shared<const StreamMethod>(method);
      const auto gate = MakeGate(access, accounting, service.name, inner->name, "", inner->right);
      method.make_handler = [inner, gate](StreamRpc* rpc) {
        return std::make_shared<GuardedStream>(gate.get(), rpc, inner.get());
      };
    }
  }
  return services;
}

std::uint64_t CallerOf(const Rpc& rpc) {
  const Principal* const principal = rpc.principal().get();
  return principal == nullptr || principal->is_anonymous() ? rpc.caller() : principal->number();
}

std::optional<Rejection> CheckModelOf(const Rpc& rpc, std::string_view model) {
  if (rpc.principal() == nullptr) return std::nullopt;
  absl::Status may = rpc.principal()->CheckModel(model);
  if (!may.ok()) return Rejection::Denied(std::move(may));
  return std::nullopt;
}

absl::Status WithoutOthers(const Rpc& rpc, absl::Status status) {
  const std::optional<std::string> missing = MissingModel(status);
  if (rpc.principal() == nullptr || !rpc.principal()->is_limited() || !missing.has_value()) {
    return status;
  }
  return WithMissingModel(
      absl::Status(status.code(), absl::StrCat("model ", *missing, " is not served")), *missing);
}

std::optional<Rejection> TakeBudget(const Rpc& rpc, const CallContext& context, int images) {
  const Principal* const principal = rpc.principal().get();
  if (principal == nullptr) return std::nullopt;
  absl::Status taken = principal->budget()->Take(images, context.Now());
  if (!taken.ok()) return Rejection::OverBudget(std::move(taken));
  return std::nullopt;
}

void GiveBackBudget(const Rpc& rpc, int images) {
  if (rpc.principal() != nullptr) rpc.principal()->budget()->GiveBack(images);
}

}  // namespace hellocnn::server
