#include "server/serving/model_manager.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "base/shown.h"

namespace hellocnn::server {
namespace {

using State = ModelStatus::State;

// How soon a version that is leaving is looked at again.
constexpr absl::Duration kLeavingInterval = absl::Milliseconds(50);

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

absl::Status ModelManager::Start(
    const std::function<absl::Status(const VerifiedModel&)>& verified) {
  absl::StatusOr<ModelRepository> repository = ModelRepository::Open(options_.path);
  if (!repository.ok()) return repository.status();
  repository_ = std::make_unique<ModelRepository>(*std::move(repository));
  const absl::StatusOr<Folders> folders = repository_->Scan();
  if (!folders.ok()) return folders.status();

  std::set<Key> wanted;
  absl::Status first_error;
  const std::vector<ToPrepare> models =
      VerifyWanted(*folders, /*asked=*/true, &wanted, &first_error);
  if (models.empty()) {
    return !first_error.ok()
               ? first_error
               : absl::NotFoundError(absl::StrCat("of the versions in ", options_.path,
                                                  ", option model-versions wants none"));
  }
  if (absl::Status status = verified(models.front().model); !status.ok()) return status;
  bool any = false;
  for (const ToPrepare& one : models) {
    const absl::Status status = PrepareAndPublish(one);
    if (absl::IsCancelled(status)) return status;
    first_error.Update(status);
    any |= status.ok();
  }
  return any ? absl::OkStatus() : first_error;
}

void ModelManager::Watch() {
  thread_ = std::thread([this] { Live(); });
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

void ModelManager::Stop() {
  {
    MutexLock lock(&mutex_);
    stopped_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
}

void ModelManager::Live() {
  Instant next = clock_->Now() + options_.interval;
  while (true) {
    bool asked;
    {
      MutexLock lock(&mutex_);
      const bool leaving = std::any_of(entries_.begin(), entries_.end(), [](const auto& entry) {
        return entry.second.state == State::kLeaving;
      });
      const Instant wake = leaving ? std::min(next, clock_->Now() + kLeavingInterval) : next;
      while (!stopped_ && !asked_ && clock_->Now() < wake) changed_.WaitUntil(&mutex_, wake);
      if (stopped_) return;
      asked = std::exchange(asked_, false);
    }
    FreeLeaving();
    if (!asked && clock_->Now() < next) continue;
    Look(asked);
    next = clock_->Now() + options_.interval;
  }
}

void ModelManager::Look(bool asked) {
  const absl::StatusOr<Folders> folders = repository_->Scan();
  if (!folders.ok()) {
    // Said once: an unmounted volume stays away for long.
    std::string error(folders.status().message());
    if (error != last_scan_error_) {
      spdlog::error("the models are served on as they are: {}", Printable(error));
      last_scan_error_ = std::move(error);
    }
    return;
  }
  last_scan_error_.clear();
  std::set<Key> wanted;
  absl::Status first_error;
  bool all_published = true;
  for (const ToPrepare& one : VerifyWanted(*folders, asked, &wanted, &first_error)) {
    all_published &= PrepareAndPublish(one).ok();
  }
  // What could not be published is known to have failed at the next look, and something else is
  // wanted then.
  if (all_published) WithdrawAllBut(wanted, *folders);
  ForgetGone(*folders);
}

std::vector<ModelManager::ToPrepare> ModelManager::VerifyWanted(const Folders& folders, bool asked,
                                                                std::set<Key>* wanted,
                                                                absl::Status* first_error) {
  std::vector<ToPrepare> to_prepare;
  std::map<std::string, int> served;  // by model
  for (const VersionFolder& folder : folders) {
    int& count = served[folder.model];
    if (count >= options_.policy.most || !options_.policy.Allows(folder.version)) continue;
    if (!VerifyOne(folder, asked, &to_prepare, first_error)) continue;
    ++count;
    wanted->insert({folder.model, folder.version});
  }
  seen_.clear();
  for (const VersionFolder& folder : folders) {
    seen_[{folder.model, folder.version}] = folder.fingerprint;
  }
  return to_prepare;
}

bool ModelManager::VerifyOne(const VersionFolder& folder, bool asked,
                             std::vector<ToPrepare>* to_prepare, absl::Status* first_error) {
  const Key key{folder.model, folder.version};
  {
    MutexLock lock(&mutex_);
    const auto found = entries_.find(key);
    if (found != entries_.end()) {
      const Entry& entry = found->second;
      if (entry.state == State::kLeaving) return false;
      if (entry.state == State::kServing && entry.fingerprint == folder.fingerprint) return true;
      if (entry.state == State::kFailed && entry.fingerprint == folder.fingerprint) return false;
    }
  }
  if (IsServing(key)) {
    CheckUnchanged(key, folder);
    return true;
  }
  // What is still being copied changes from one look to the next.
  const auto seen = seen_.find(key);
  if (!asked && (seen == seen_.end() || seen->second != folder.fingerprint)) return false;

  SetLoading(key, folder.fingerprint);
  absl::StatusOr<VerifiedModel> model = loader_->Verify(folder);
  if (!model.ok()) {
    first_error->Update(model.status());
    SetFailed(key, model.status());
    return false;
  }
  to_prepare->push_back({key, *std::move(model)});
  return true;
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
  events_->OnModelLoaded(one.model.id, clock_->Now() - one.model.load_began);
  spdlog::info("{} serves now", NameOf(one.key));
  MutexLock lock(&mutex_);
  Entry& entry = entries_[one.key];
  entry.state = State::kServing;
  entry.servable = *std::move(servable);
  TellCounts();
  return absl::OkStatus();
}

void ModelManager::WithdrawAllBut(const std::set<Key>& wanted, const Folders& folders) {
  const auto is_wanted = [&wanted](const std::string& model) {
    const auto first = wanted.lower_bound({model, ""});
    return first != wanted.end() && first->first == model;
  };
  const auto is_there = [&folders](const std::string& model) {
    return std::any_of(folders.begin(), folders.end(),
                       [&model](const VersionFolder& folder) { return folder.model == model; });
  };
  MutexLock lock(&mutex_);
  for (auto& [key, entry] : entries_) {
    if (entry.state != State::kServing || wanted.contains(key)) continue;
    // Something must take its place: a version of the same model, or, if all of the model is gone,
    // another model.
    if (!is_wanted(key.first) && (is_there(key.first) || wanted.empty())) {
      Complain(key, entry, "its folder is gone, and nothing takes its place, so it serves on");
      continue;
    }
    registry_->Withdraw(key.first, key.second).IgnoreError();
    entry.state = State::kLeaving;
    entry.reason.clear();
    spdlog::info("{} takes no more requests", NameOf(key));
  }
  TellCounts();
}

void ModelManager::FreeLeaving() {
  std::vector<std::pair<Key, ServableHandle>> done;
  {
    MutexLock lock(&mutex_);
    for (auto& [key, entry] : entries_) {
      if (entry.state != State::kLeaving || entry.servable.use_count() > 1) continue;
      done.emplace_back(key, std::move(entry.servable));
    }
  }
  for (const auto& [key, servable] : done) {
    dispatcher_->RemoveQueue(servable->queue());
    events_->OnModelUnloaded(servable->id());
    spdlog::info("{} is unloaded", NameOf(key));
    MutexLock lock(&mutex_);
    entries_.erase(key);
  }
}

void ModelManager::ForgetGone(const Folders& folders) {
  std::set<Key> there;
  for (const VersionFolder& folder : folders) there.insert({folder.model, folder.version});
  MutexLock lock(&mutex_);
  std::erase_if(entries_, [&there](const auto& entry) {
    return entry.second.state == State::kFailed && !there.contains(entry.first);
  });
  TellCounts();
}

bool ModelManager::IsServing(const Key& key) const {
  MutexLock lock(&mutex_);
  const auto found = entries_.find(key);
  return found != entries_.end() && found->second.state == State::kServing;
}

void ModelManager::CheckUnchanged(const Key& key, const VersionFolder& folder) {
  const absl::StatusOr<std::string> content = ContentOf(folder);
  MutexLock lock(&mutex_);
  Entry& entry = entries_[key];
  entry.fingerprint = folder.fingerprint;
  if (content.ok() && *content == entry.servable->content()) {
    entry.reason.clear();
  } else {
    Complain(key, entry,
             "its files have changed, but a version never does, so it serves on as it was loaded; "
             "wanted a new version");
  }
  TellCounts();
}

void ModelManager::SetLoading(const Key& key, const std::string& fingerprint) {
  MutexLock lock(&mutex_);
  Entry& entry = entries_[key];
  entry = {};
  entry.fingerprint = fingerprint;
}

void ModelManager::SetFailed(const Key& key, const absl::Status& status) {
  MutexLock lock(&mutex_);
  if (absl::IsCancelled(status)) {  // the server was told to stop
    entries_.erase(key);
    return;
  }
  Entry& entry = entries_[key];
  entry.state = State::kFailed;
  Complain(key, entry, std::string(status.message()));
  TellCounts();
}

void ModelManager::Complain(const Key& key, Entry& entry, std::string reason) {
  if (entry.reason == reason) return;
  const bool serves = entry.state == State::kServing;
  spdlog::error("{} {}: {}", NameOf(key), serves ? "needs attention" : "cannot be served",
                Printable(reason));
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
