#include "server/serving/model_manager.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstddef>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/shown.h"

namespace hellocnn::server {
namespace {

// The log names a version that has not settled for so many polls.
constexpr int kManyPolls = 60;

bool IsCandidate(const FoundModels& found, const VersionKey& key) {
  const auto rollout = found.rollouts.find(key.first);
  return rollout != found.rollouts.end() && rollout->second.candidate == key.second;
}

}  // namespace

ModelManager::ModelManager(Options options, ModelLoader* loader, ModelRegistry* registry,
                           BatchDispatcher* dispatcher, Events* events, const Clock* clock)
    : options_(std::move(options)),
      loader_(loader),
      events_(events),
      clock_(clock),
      versions_({.policy = options_.policy, .rollback_window = options_.rollback_window}, registry,
                dispatcher, events, clock) {}

ModelManager::~ModelManager() { Stop(); }

absl::Status ModelManager::Start(const std::function<absl::Status()>& verified) {
  absl::StatusOr<ModelRepository> repository = ModelRepository::Open(options_.path);
  if (!repository.ok()) return repository.status();
  repository_ = std::make_unique<ModelRepository>(*std::move(repository));
  if (repository_->is_one_version()) versions_.FollowName();
  absl::StatusOr<FoundModels> found = repository_->Scan();
  if (!found.ok()) return found.status();

  WarnOfUnreadable(*found);
  versions_.SetRollouts(/*asked=*/true, &*found);
  versions_.NoteUnreadable(*found);
  absl::Status first_error;
  bool any = false;
  bool all = false;
  bool told = false;
  while (!all) {
    const Plan plan = MakePlan(*found, /*asked=*/true);
    if (plan.stopped) return absl::CancelledError("stopped while models were verified");
    first_error.Update(plan.first_error);
    if (!told && !plan.to_prepare.empty()) {
      if (absl::Status status = verified(); !status.ok()) return status;
      told = true;
    }
    all = true;
    for (const ToPrepare& one : plan.to_prepare) {
      absl::Status status = PrepareAndPublish(one);
      if (absl::IsCancelled(status)) return status;
      first_error.Update(status);
      any |= status.ok();
      all &= status.ok();
    }
  }
  Remember(*found);
  if (any) return absl::OkStatus();
  if (!first_error.ok()) return first_error;
  return absl::NotFoundError(
      absl::StrCat("of the versions in ", options_.path, ", option model-versions wants none"));
}

absl::Status ModelManager::Watch() {
  try {
    thread_ = std::thread([this] { Live(); });
  } catch (const std::system_error& error) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "cannot start 1 thread, which looks for new versions of models: ", error.what(),
        "; raise the limit of processes or of address space"));
  }
  return absl::OkStatus();
}

void ModelManager::Rescan() {
  MutexLock lock(&mutex_);
  asked_ = true;
  changed_.SignalAll();
}

absl::StatusOr<RolledBack> ModelManager::RollBack(std::string_view model) {
  absl::StatusOr<RolledBack> done = versions_.RollBack(model);
  if (done.ok()) {
    TellChange();
    MutexLock lock(&mutex_);
    free_later_ = true;
    changed_.SignalAll();
  }
  return done;
}

absl::StatusOr<RolledBack> ModelManager::UndoRollback(std::string_view model) {
  absl::StatusOr<RolledBack> undone = versions_.Undo(model);
  if (undone.ok()) {
    TellChange();
    LookAgain();
  }
  return undone;
}

void ModelManager::AskToStop() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  changed_.SignalAll();
}

void ModelManager::Stop() {
  AskToStop();
  if (thread_.joinable()) thread_.join();
}

void ModelManager::Live() {
  Instant next = clock_->Now() + options_.interval;
  while (true) {
    bool asked;
    bool look_now;
    const Instant to_free = versions_.NextToFree();
    {
      MutexLock lock(&mutex_);
      const Instant wake = std::min(next, to_free);
      while (!stopped_ && !asked_ && !look_now_ && !free_later_ && clock_->Now() < wake) {
        changed_.WaitUntil(&mutex_, wake);
      }
      free_later_ = false;
      if (stopped_) return;
      asked = std::exchange(asked_, false);
      look_now = std::exchange(look_now_, false);
    }
    if (!asked && !look_now && clock_->Now() < next) {
      FreeDrained();
      continue;
    }
    Look(asked);
    next = clock_->Now() + options_.interval;
  }
}

void ModelManager::Look(bool asked) {
  FreeDrained();
  absl::StatusOr<FoundModels> found = repository_->Scan();
  if (!found.ok()) {
    NoteScanError(found.status());
    return;
  }
  last_scan_error_.clear();
  versions_.BeginLook();
  WarnOfUnreadable(*found);
  versions_.SetRollouts(asked, &*found);
  versions_.KeepWhatIsGone(asked, &*found);
  versions_.NoteUnreadable(*found);
  // From now on a card that does not fit was most often copied before its weights.
  for (VersionFolder& folder : found->versions) folder.must_match_card = true;
  Plan plan;
  bool all = false;
  while (!all) {  // what cannot be published has failed, and something else is wanted then
    plan = MakePlan(*found, asked);
    all = true;
    for (const ToPrepare& one : plan.to_prepare) {
      if (plan.stopped) break;
      const absl::Status status = PrepareAndPublish(one);
      plan.stopped |= absl::IsCancelled(status);
      all &= status.ok();
    }
    if (plan.stopped) return;
  }
  if (!versions_.Withdraw(plan.versions, *found)) LookAgain();
  Remember(*found);
  TellChange();
}

void ModelManager::FreeDrained() {
  const VersionTable::Freed freed = versions_.FreeDrained();
  if (freed.any) TellChange();
  if (freed.came_back) LookAgain();
}

void ModelManager::LookAgain() {
  MutexLock lock(&mutex_);
  look_now_ = true;
  changed_.SignalAll();
}

void ModelManager::NoteScanError(const absl::Status& status) {
  const std::string error(status.message());
  if (error != last_scan_error_) {  // said once: an unmounted volume stays away for long
    spdlog::error("the models are served on as they are: {}", Printable(error));
    last_scan_error_ = error;
  }
  versions_.NoteScanError(status);
}

ModelManager::Plan ModelManager::MakePlan(const FoundModels& found, bool asked) {
  Plan plan;
  plan.versions.rollbacks = versions_.rollbacks();
  std::map<std::string, int> served;  // by model
  for (const VersionFolder& folder : found.versions) {
    const VersionKey key{folder.model, folder.version};
    // A candidate is wanted beside those that the policy selects, and takes the place of none.
    const bool is_candidate = IsCandidate(found, key);
    int uncounted = 0;
    int& count = is_candidate ? uncounted : served[folder.model];
    if (!is_candidate &&
        (count >= options_.policy.most || !options_.policy.Allows(folder.version))) {
      continue;
    }
    plan.versions.considered.insert(key);
    switch (VerifyOne(folder, asked, &plan)) {
      case Outcome::kServed:
        ++count;
        plan.versions.wanted.insert(key);
        break;
      case Outcome::kNotServed:
        break;
      case Outcome::kUnsettled:
        ++count;  // so that no lower version takes its place
        plan.versions.unsettled.insert(folder.model);
        break;
      case Outcome::kStopped:
        plan.stopped = true;
        return plan;
    }
  }
  // A candidate comes last, so that it is never the only version of its model for a moment.
  std::stable_partition(plan.to_prepare.begin(), plan.to_prepare.end(),
                        [&found](const auto& one) { return !IsCandidate(found, one.key); });
  return plan;
}

ModelManager::Outcome ModelManager::VerifyOne(const VersionFolder& folder, bool asked, Plan* plan) {
  const VersionKey key{folder.model, folder.version};
  // What is still being copied changes from one poll to the next.
  const auto seen = seen_.find(key);
  const bool settled = asked || (seen != seen_.end() && seen->second == folder.fingerprint);
  switch (versions_.Find(folder, settled)) {
    case VersionTable::Known::kServed:
      return Outcome::kServed;
    case VersionTable::Known::kNotServed:
      return Outcome::kNotServed;
    case VersionTable::Known::kToBeLoaded:
      break;
  }
  if (!folder.status.ok()) {
    plan->first_error.Update(folder.status);
    versions_.SetLoading(key, /*fingerprint=*/"");  // so that it is tried again once it can be read
    versions_.SetFailed(key, folder.status);
    return Outcome::kNotServed;
  }
  if (!settled) {
    if (++unsettled_[key] == kManyPolls) {
      spdlog::warn("{} is not loaded, because its files have changed in each of {} polls: {}",
                   Describe(key), kManyPolls, Printable(folder.path));
    }
    return Outcome::kUnsettled;
  }
  unsettled_.erase(key);
  versions_.SetLoading(key, folder.fingerprint);
  absl::StatusOr<VerifiedModel> model = loader_->Verify(folder);
  if (!model.ok()) {
    versions_.SetFailed(key, model.status());
    if (absl::IsCancelled(model.status())) return Outcome::kStopped;
    plan->first_error.Update(model.status());
    return Outcome::kNotServed;
  }
  plan->to_prepare.push_back({key, *std::move(model)});
  return Outcome::kServed;
}

absl::Status ModelManager::PrepareAndPublish(const ToPrepare& one) {
  absl::StatusOr<ServableHandle> servable = loader_->Prepare(one.model);
  absl::Status status = servable.status();
  if (status.ok()) status = versions_.SetServing(one.key, *std::move(servable));
  if (!status.ok()) {
    events_->OnModelUnloaded(one.model.id);
    versions_.SetFailed(one.key, status);
    return status;
  }
  events_->OnModelLoaded(one.model.id, clock_->Now() - one.model.load_began);
  spdlog::info("{} serves now", Describe(one.key));
  TellChange();
  return absl::OkStatus();
}

void ModelManager::Remember(const FoundModels& found) {
  seen_.clear();
  for (const VersionFolder& folder : found.versions) {
    seen_[{folder.model, folder.version}] = folder.fingerprint;
  }
  std::erase_if(unsettled_, [this](const auto& one) { return !seen_.contains(one.first); });
}

void ModelManager::WarnOfUnreadable(const FoundModels& found) {
  std::map<std::string, std::string> unreadable;
  for (const auto& [model, status] : found.unreadable) {
    const std::string error(status.message());
    if (unreadable_[model] != error) {
      spdlog::warn("nothing of model {} is loaded or withdrawn: {}", Shown(model),
                   Printable(error));
    }
    unreadable[model] = error;
  }
  unreadable_ = std::move(unreadable);
}

}  // namespace hellocnn::server
