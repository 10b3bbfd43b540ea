#include "server/service_manager.h"

#include <spdlog/spdlog.h>

#include <cstddef>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/shown.h"

namespace hellocnn::server {

ServiceManager::ServiceManager(const NotifyEnvironment& environment) {
  if (!environment.problem.empty()) {
    spdlog::warn("the service manager's watchdog is not told: {}", Printable(environment.problem));
  }
  if (environment.socket.empty()) return;
  absl::StatusOr<NotifySocket> socket = NotifySocket::Open(environment.socket);
  if (!socket.ok()) {
    spdlog::warn("the service manager is not told: {}",
                 Printable(std::string(socket.status().message())));
    return;
  }
  socket_.emplace(*std::move(socket));
  watchdog_ = environment.watchdog;
}

void ServiceManager::Tell(std::string_view assignments) {
  if (!socket_.has_value()) return;
  const absl::Status status = socket_->Send(assignments);
  if (status.ok() || warned_.exchange(true)) return;
  spdlog::warn("{}; further messages that do not arrive are not logged",
               Printable(std::string(status.message())));
}

ServiceStatus::ServiceStatus(ServiceManager* manager, Lifecycle* lifecycle, Options options)
    : manager_(manager), options_(std::move(options)) {
  if (manager_ == nullptr) return;
  observation_ = lifecycle->Observe([this](LifecycleState state) { OnState(state); });
}

void ServiceStatus::OnReady(std::string address, const std::vector<ModelStatus>& models) {
  if (manager_ == nullptr) return;
  MutexLock lock(&mutex_);
  address_ = std::move(address);
  if (!stopping_) TellServing("READY=1\n", models);
}

void ServiceStatus::OnModels(const std::vector<ModelStatus>& models) {
  if (manager_ == nullptr) return;
  MutexLock lock(&mutex_);
  if (!stopping_ && !address_.empty()) TellServing("", models);
}

void ServiceStatus::OnState(LifecycleState state) {
  MutexLock lock(&mutex_);
  std::string status;
  switch (state) {
    case LifecycleState::kLoading:
      status = absl::StrCat("Loading what is in ", Printable(options_.path), ".");
      break;
    case LifecycleState::kServing:
      return;  // OnReady follows
    case LifecycleState::kLeaving:
      status = "Leaving: calls are still served, and clients are asked to go elsewhere.";
      break;
    case LifecycleState::kDraining:
      status = address_.empty() ? "Stopping before any call was served."
                                : "Draining: calls that were accepted are finished.";
      break;
    case LifecycleState::kStopped:
      status = "Stopped.";
      break;
  }
  std::string assignments;
  if (state >= LifecycleState::kLeaving && !std::exchange(stopping_, true)) {
    assignments = absl::StrCat(
        "STOPPING=1\nEXTEND_TIMEOUT_USEC=", absl::ToInt64Microseconds(options_.drain_time), "\n");
  }
  manager_->Tell(absl::StrCat(assignments, "STATUS=", status));
}

void ServiceStatus::TellServing(const std::string& prefix, const std::vector<ModelStatus>& models) {
  std::string serving = DescribeServing(models, address_);
  if (serving == serving_) return;
  serving_ = std::move(serving);
  manager_->Tell(absl::StrCat(prefix, "STATUS=", serving_));
}

std::string DescribeServing(const std::vector<ModelStatus>& models, std::string_view address) {
  std::set<std::string> names;
  const ModelStatus* last = nullptr;
  std::size_t versions = 0;
  for (const ModelStatus& model : models) {
    if (model.state != ModelStatus::State::kServing) continue;
    names.insert(model.name);
    last = &model;
    ++versions;
  }
  std::string what = "no model";
  if (versions == 1) {
    what =
        absl::StrCat("model ", Printable(last->name), ", version ", Printable(last->version), ",");
  } else if (names.size() == 1) {
    what = absl::StrCat(versions, " versions of model ", Printable(last->name));
  } else if (names.size() > 1) {
    what = absl::StrCat(names.size(), " models");
  }
  return absl::StrCat("Serving ", what, " on ", Printable(std::string(address)), ".");
}

}  // namespace hellocnn::server
