#include "server/serving/model_manager.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstddef>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/shown.h"

namespace hellocnn::server {
namespace {

using State = ModelStatus::State;

// How soon a version that drains is looked at again.
constexpr absl::Duration kDrainingInterval = absl::Milliseconds(50);

// The log names a version that has not settled for so many polls.
constexpr int kManyPolls = 60;

constexpr char kChanged[] =
    "its files have changed, but a version never does, so it stays served as it was loaded; wanted "
    "a "
    "new version";
constexpr char kGone[] =
    "it is not in the folder any more, and nothing takes its place, so it stays served";

std::string CannotBeRead(const absl::Status& status) {
  return absl::StrCat("it stays served, but its folder cannot be read: ", status.message());
}

// Whether it may be otherwise at the next look, although no file has changed.
bool MayPass(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnimplemented:
      return false;
    default:
      return true;
  }
}

std::string NameOf(const std::pair<std::string, std::string>& key) {
  return absl::StrCat("model ", Shown(key.first), ", version ", Shown(key.second));
}

}  // namespace

ModelManager::ModelManager(Options options, ModelLoader* loader, ModelRegistry* registry,
                           BatchDispatcher* dispatcher, Events* events, const Clock* clock)
    : options_(std::move(options)),
      loader_(loader),
      registry_(registry),
      dispatcher_(dispatcher),
      events_(events),
      clock_(clock) {}

ModelManager::~ModelManager() { Stop(); }

absl::Status ModelManager::Start(const std::function<absl::Status()>& verified) {
  absl::StatusOr<ModelRepository> repository = ModelRepository::Open(options_.path);
  if (!repository.ok()) return repository.status();
  repository_ = std::make_unique<ModelRepository>(*std::move(repository));
  const absl::StatusOr<FoundModels> found = repository_->Scan();
  if (!found.ok()) return found.status();

  WarnOfUnreadable(*found);
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

std::vector<ModelStatus> ModelManager::List() const {
  MutexLock lock(&mutex_);
  std::vector<ModelStatus> statuses;
  for (const auto& [key, entry] : entries_) {
    statuses.push_back({key.first, key.second, entry.state, entry.reason});
  }
  return statuses;
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
    {
      MutexLock lock(&mutex_);
      const bool draining = std::any_of(entries_.begin(), entries_.end(), [](const auto& entry) {
        return entry.second.state == State::kDraining;
      });
      const Instant wake = draining ? std::min(next, clock_->Now() + kDrainingInterval) : next;
      while (!stopped_ && !asked_ && !look_now_ && clock_->Now() < wake) {
        changed_.WaitUntil(&mutex_, wake);
      }
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
  tried_.clear();
  WarnOfUnreadable(*found);
  KeepWhatIsGone(asked, &*found);
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
  Withdraw(plan, *found);
  ForgetFailed(plan, *found);
  Remember(*found);
}

void ModelManager::NoteScanError(const absl::Status& status) {
  const std::string error(status.message());
  if (error != last_scan_error_) {  // said once: an unmounted volume stays away for long
    spdlog::error("the models are served on as they are: {}", Printable(error));
    last_scan_error_ = error;
  }
  MutexLock lock(&mutex_);
  for (auto& [key, entry] : entries_) {
    if (entry.state == State::kServing) entry.reason = CannotBeRead(status);
  }
  TellCounts();
}

void ModelManager::KeepWhatIsGone(bool asked, FoundModels* found) {
  std::set<Key> there;
  for (const VersionFolder& folder : found->versions) there.insert({folder.model, folder.version});
  MutexLock lock(&mutex_);
  for (auto& [key, entry] : entries_) {
    if (entry.state != State::kServing) continue;
    const bool missing = !there.contains(key) && !found->unreadable.contains(key.first);
    if (missing && !entry.missed && !asked) {
      found->versions.push_back(
          {.model = key.first, .version = key.second, .fingerprint = entry.fingerprint});
    }
    entry.missed = missing;
  }
  std::sort(found->versions.begin(), found->versions.end(),
            [](const VersionFolder& a, const VersionFolder& b) {
              return a.model != b.model ? a.model < b.model : VersionOrder()(b.version, a.version);
            });
}

ModelManager::Plan ModelManager::MakePlan(const FoundModels& found, bool asked) {
  Plan plan;
  std::map<std::string, int> served;  // by model
  for (const VersionFolder& folder : found.versions) {
    const Key key{folder.model, folder.version};
    int& count = served[folder.model];
    if (count >= options_.policy.most || !options_.policy.Allows(folder.version)) continue;
    plan.considered.insert(key);
    switch (VerifyOne(folder, asked, &plan)) {
      case Outcome::kServed:
        ++count;
        plan.wanted.insert(key);
        break;
      case Outcome::kNotServed:
        break;
      case Outcome::kUnsettled:
        ++count;  // so that no lower version takes its place
        plan.unsettled.insert(folder.model);
        break;
      case Outcome::kStopped:
        plan.stopped = true;
        return plan;
    }
  }
  return plan;
}

ModelManager::Outcome ModelManager::VerifyOne(const VersionFolder& folder, bool asked, Plan* plan) {
  if (const std::optional<Outcome> known = FindOutcome(folder); known.has_value()) return *known;
  const Key key{folder.model, folder.version};
  if (!folder.status.ok()) {
    plan->first_error.Update(folder.status);
    SetLoading(key, /*fingerprint=*/"");  // so that it is tried again once it can be read
    SetFailed(key, folder.status);
    return Outcome::kNotServed;
  }
  // What is still being copied changes from one poll to the next.
  const auto seen = seen_.find(key);
  if (!asked && (seen == seen_.end() || seen->second != folder.fingerprint)) {
    if (++unsettled_[key] == kManyPolls) {
      spdlog::warn("{} is not loaded, because its files have changed in each of {} polls: {}",
                   NameOf(key), kManyPolls, Printable(folder.path));
    }
    return Outcome::kUnsettled;
  }
  unsettled_.erase(key);
  SetLoading(key, folder.fingerprint);
  absl::StatusOr<VerifiedModel> model = loader_->Verify(folder);
  if (!model.ok()) {
    SetFailed(key, model.status());
    if (absl::IsCancelled(model.status())) return Outcome::kStopped;
    plan->first_error.Update(model.status());
    return Outcome::kNotServed;
  }
  plan->to_prepare.push_back({key, *std::move(model)});
  return Outcome::kServed;
}

std::optional<ModelManager::Outcome> ModelManager::FindOutcome(const VersionFolder& folder) {
  const Key key{folder.model, folder.version};
  {
    MutexLock lock(&mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return std::nullopt;
    Entry& entry = found->second;
    const bool same = folder.status.ok() && entry.fingerprint == folder.fingerprint;
    switch (entry.state) {
      case State::kLoading:
        return std::nullopt;
      case State::kFailed:
        if (same && (!entry.try_again || tried_.contains(key))) return Outcome::kNotServed;
        return std::nullopt;
      case State::kDraining:
        if (!same || entry.changed || !registry_->Publish(entry.servable).ok()) {
          entry.came_back = true;
          return Outcome::kNotServed;
        }
        if (repository_->is_one_version()) registry_->SetDefault(key.first);
        entry.state = State::kServing;
        entry.missed = entry.came_back = false;
        spdlog::info("{} serves again", NameOf(key));
        break;
      case State::kServing:
        if (entry.missed) return Outcome::kServed;
        break;
    }
  }
  CheckUnchanged(folder);
  return Outcome::kServed;
}

absl::Status ModelManager::PrepareAndPublish(const ToPrepare& one) {
  absl::StatusOr<ServableHandle> servable = loader_->Prepare(one.model);
  absl::Status status = servable.status();
  if (status.ok()) status = registry_->Publish(*servable);
  if (!status.ok()) {
    events_->OnModelUnloaded(one.model.id);
    SetFailed(one.key, status);
    return status;
  }
  // A version may change its name, and requests that name none follow it.
  if (repository_->is_one_version()) registry_->SetDefault(one.key.first);
  events_->OnModelLoaded(one.model.id, clock_->Now() - one.model.load_began);
  spdlog::info("{} serves now", NameOf(one.key));
  MutexLock lock(&mutex_);
  Entry& entry = entries_[one.key];
  entry = {
      .state = State::kServing, .fingerprint = entry.fingerprint, .servable = *std::move(servable)};
  TellCounts();
  return absl::OkStatus();
}

void ModelManager::Withdraw(const Plan& plan, const FoundModels& found) {
  const auto wanted_of = [&plan](const std::string& model) {
    return std::count_if(plan.wanted.begin(), plan.wanted.end(),
                         [&model](const Key& key) { return key.first == model; });
  };
  const auto is_there = [&found](const std::string& model) {
    return std::any_of(found.versions.begin(), found.versions.end(),
                       [&model](const VersionFolder& folder) { return folder.model == model; });
  };
  MutexLock lock(&mutex_);
  for (auto& [key, entry] : entries_) {
    if (entry.state != State::kServing || plan.wanted.contains(key)) continue;
    const auto unreadable = found.unreadable.find(key.first);
    if (unreadable != found.unreadable.end()) {
      SetReason(key, entry, CannotBeRead(unreadable->second));
      continue;
    }
    // It is needed until the version that is still being copied can be served.
    if (plan.unsettled.contains(key.first) && wanted_of(key.first) < options_.policy.most &&
        !options_.policy.is_all()) {
      SetReason(key, entry, entry.changed ? kChanged : "");
      continue;
    }
    // Something must take its place: a version of the same model, or, if all of the model is gone,
    // another model.
    if (wanted_of(key.first) == 0 && (is_there(key.first) || plan.wanted.empty())) {
      SetReason(key, entry, kGone);
      continue;
    }
    registry_->Withdraw(key.first, key.second).IgnoreError();
    entry.state = State::kDraining;
    entry.missed = entry.came_back = false;
    entry.reason.clear();
    spdlog::info("{} is withdrawn, and finishes its requests", NameOf(key));
  }
  TellCounts();
}

void ModelManager::FreeDrained() {
  std::vector<std::pair<Key, ServableHandle>> done;
  {
    MutexLock lock(&mutex_);
    for (auto& [key, entry] : entries_) {
      if (entry.state != State::kDraining || entry.servable.use_count() > 1) continue;
      done.emplace_back(key, std::move(entry.servable));
    }
  }
  for (const auto& [key, servable] : done) {
    dispatcher_->RemoveQueue(servable->queue());
    events_->OnModelUnloaded(servable->id());
    spdlog::info("{} is unloaded", NameOf(key));
    MutexLock lock(&mutex_);
    look_now_ |= entries_[key].came_back;
    entries_.erase(key);
  }
}

void ModelManager::ForgetFailed(const Plan& plan, const FoundModels& found) {
  MutexLock lock(&mutex_);
  std::erase_if(entries_, [&](const auto& entry) {
    return entry.second.state == State::kFailed && !plan.considered.contains(entry.first) &&
           !found.unreadable.contains(entry.first.first);
  });
  TellCounts();
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

void ModelManager::CheckUnchanged(const VersionFolder& folder) {
  const Key key{folder.model, folder.version};
  bool looked_at = false;
  {
    MutexLock lock(&mutex_);
    looked_at = entries_[key].fingerprint == folder.fingerprint;
  }
  absl::StatusOr<std::string> content = "";
  if (!folder.status.ok()) {
    content = folder.status;
  } else if (!looked_at) {
    content = ContentOf(folder);
  }
  MutexLock lock(&mutex_);
  Entry& entry = entries_[key];
  if (!looked_at && content.ok()) {
    entry.changed = *content != entry.servable->content();
    entry.fingerprint = folder.fingerprint;
  }
  if (!looked_at && !content.ok()) {
    SetReason(key, entry, CannotBeRead(content.status()));
  } else {
    SetReason(key, entry, entry.changed ? kChanged : "");
  }
  TellCounts();
}

void ModelManager::SetLoading(const Key& key, const std::string& fingerprint) {
  MutexLock lock(&mutex_);
  Entry& entry = entries_[key];  // with the reason why it failed before, which is not said twice
  entry.state = State::kLoading;
  entry.fingerprint = fingerprint;
}

void ModelManager::SetFailed(const Key& key, const absl::Status& status) {
  MutexLock lock(&mutex_);
  if (absl::IsCancelled(status)) {  // the server was told to stop
    entries_.erase(key);
    return;
  }
  tried_.insert(key);
  Entry& entry = entries_[key];
  entry.state = State::kFailed;
  entry.try_again = MayPass(status.code());
  SetReason(key, entry, std::string(status.message()));
  TellCounts();
}

void ModelManager::SetReason(const Key& key, Entry& entry, std::string reason) {
  if (entry.reason == reason) return;
  const char* const what = entry.state == State::kServing ? "needs attention" : "cannot be served";
  if (reason.empty()) {
    spdlog::info("{} is in order again", NameOf(key));
  } else {
    spdlog::error("{} {}: {}", NameOf(key), what, Printable(reason));
  }
  entry.reason = std::move(reason);
}

void ModelManager::TellCounts() {
  int serving = 0;
  int failed = 0;
  for (const auto& [key, entry] : entries_) {
    serving += entry.state == State::kServing ? 1 : 0;
    failed += entry.reason.empty() ? 0 : 1;
  }
  events_->OnVersions(serving, failed);
}

}  // namespace hellocnn::server
