#include "server/serving/version_table.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstddef>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/shown.h"
#include "server/serving/model_loader.h"

namespace hellocnn::server {
namespace {

using State = ModelStatus::State;

// How soon a version that drains is looked at again.
constexpr absl::Duration kDrainingInterval = absl::Milliseconds(50);

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

// Sets the reason, which may be empty, and logs one that is new.
template <typename Entry>
void SetReason(const VersionKey& key, Entry& entry, const std::string& reason) {
  if (entry.reason == reason) return;
  const char* const what = entry.state == State::kServing ? "needs attention" : "cannot be served";
  if (reason.empty()) {
    spdlog::info("{} is in order again", Describe(key));
  } else {
    spdlog::error("{} {}: {}", Describe(key), what, Printable(reason));
  }
  entry.reason = reason;
}

}  // namespace

std::string Describe(const VersionKey& key) {
  const std::string model = absl::StrCat("model ", Shown(key.first));
  return key.second.empty() ? model : absl::StrCat(model, ", version ", Shown(key.second));
}

VersionTable::VersionTable(Options options, ModelRegistry* registry, BatchDispatcher* dispatcher,
                           Events* events, const Clock* clock)
    : options_(std::move(options)),
      registry_(registry),
      dispatcher_(dispatcher),
      events_(events),
      clock_(clock) {}

std::vector<ModelStatus> VersionTable::List() const {
  MutexLock lock(&mutex_);
  std::vector<ModelStatus> statuses;
  for (const auto& [key, entry] : entries_) {
    ModelStatus status{key.first, key.second, entry.state, entry.reason, std::nullopt};
    const auto candidate = told_.find(key);
    if (candidate != told_.end()) status.rollout = candidate->second.rollout;
    statuses.push_back(std::move(status));
  }
  return statuses;
}

void VersionTable::BeginLook() {
  MutexLock lock(&mutex_);
  for (auto& [key, entry] : entries_) entry.tried = false;
}

std::uint64_t VersionTable::rollbacks() const {
  MutexLock lock(&mutex_);
  return rollbacks_;
}

void VersionTable::NoteScanError(const absl::Status& status) {
  MutexLock lock(&mutex_);
  for (auto& [key, entry] : entries_) {
    if (entry.state == State::kServing) entry.reason = CannotBeRead(status);
  }
  TellEvents();
}

void VersionTable::NoteUnreadable(const FoundModels& found) {
  MutexLock lock(&mutex_);
  for (const auto& [model, status] : found.unreadable) {
    const VersionKey none{model, ""};  // sorts before all versions
    const auto first = entries_.lower_bound(none);
    if (first != entries_.end() && first->first.first == model && first->first != none) continue;
    Entry& entry = entries_[none];
    entry.state = State::kFailed;
    SetReason(none, entry, std::string(status.message()));
  }
  TellEvents();
}

void VersionTable::KeepWhatIsGone(bool asked, FoundModels* found) {
  std::set<VersionKey> there;
  for (const VersionFolder& folder : found->versions) there.insert({folder.model, folder.version});
  MutexLock lock(&mutex_);
  for (auto& [key, entry] : entries_) {
    if (entry.state != State::kServing && entry.state != State::kRolledBack) continue;
    const bool missing = !there.contains(key) && !found->unreadable.contains(key.first);
    if (entry.state == State::kRolledBack) {
      // Without a folder there is nothing to keep from being served.
      if (missing && (entry.missed || asked)) {
        entry.state = State::kDraining;
        entry.reason.clear();
      }
    } else if (missing && !entry.missed && !asked) {
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

VersionTable::Known VersionTable::Find(const VersionFolder& folder, bool settled) {
  bool look_at_files = false;
  {
    MutexLock lock(&mutex_);
    const Known known = FindLocked(folder, settled, &look_at_files);
    if (!look_at_files) return known;
  }
  return CheckUnchanged(folder);
}

VersionTable::Known VersionTable::FindLocked(const VersionFolder& folder, bool settled,
                                             bool* look_at_files) {
  const VersionKey key{folder.model, folder.version};
  const auto found = entries_.find(key);
  if (found == entries_.end()) return Known::kToBeLoaded;
  Entry& entry = found->second;
  const bool same = folder.status.ok() && entry.fingerprint == folder.fingerprint;
  switch (entry.state) {
    case State::kLoading:
      return Known::kToBeLoaded;
    case State::kFailed:
      return same && (!entry.try_again || entry.tried) ? Known::kNotServed : Known::kToBeLoaded;
    case State::kStandby:
    case State::kDraining:
      if (!same || entry.changed || !Publish(key, entry.servable).ok()) {
        entry.state = State::kDraining;
        entry.came_back = true;
        return Known::kNotServed;
      }
      entry.state = State::kServing;
      entry.missed = entry.came_back = false;
      spdlog::info("{} serves again", Describe(key));
      *look_at_files = true;
      return Known::kServed;
    case State::kRolledBack:
      *look_at_files = folder.status.ok() && !same && settled;
      return Known::kNotServed;
    case State::kServing:
      *look_at_files = !entry.missed;
      return Known::kServed;
  }
  return Known::kNotServed;
}

VersionTable::Known VersionTable::CheckUnchanged(const VersionFolder& folder) {
  const VersionKey key{folder.model, folder.version};
  bool looked_at = false;
  {
    MutexLock lock(&mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return Known::kToBeLoaded;  // its rollback was undone
    looked_at = found->second.fingerprint == folder.fingerprint;
  }
  absl::StatusOr<std::string> content = "";
  if (!folder.status.ok()) {
    content = folder.status;
  } else if (!looked_at) {
    content = ContentOf(folder);
  }
  MutexLock lock(&mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return Known::kToBeLoaded;  // its rollback was undone
  Entry& entry = found->second;
  if (entry.state == State::kRolledBack && !content.ok()) return Known::kNotServed;
  if (!looked_at && content.ok()) {
    if (entry.content.empty()) entry.content = *content;
    entry.changed = *content != entry.content;
    entry.fingerprint = folder.fingerprint;
  }
  if (entry.state == State::kRolledBack) {
    if (!entry.changed) return Known::kNotServed;
    spdlog::info("{} has other content than what was rolled back", Describe(key));
    if (entry.servable == nullptr) {
      entries_.erase(found);
      return Known::kToBeLoaded;
    }
    entry.state = State::kDraining;
    entry.reason.clear();
    entry.came_back = true;
    return Known::kNotServed;
  }
  if (!looked_at && !content.ok()) {
    SetReason(key, entry, CannotBeRead(content.status()));
  } else {
    SetReason(key, entry, entry.changed ? kChanged : "");
  }
  TellEvents();
  return Known::kServed;
}

void VersionTable::SetLoading(const VersionKey& key, const std::string& fingerprint) {
  MutexLock lock(&mutex_);
  Entry& entry = entries_[key];  // with the reason why it failed before, which is not said twice
  entry.state = State::kLoading;
  entry.fingerprint = fingerprint;
}

void VersionTable::SetFailed(const VersionKey& key, const absl::Status& status) {
  MutexLock lock(&mutex_);
  if (absl::IsCancelled(status)) {  // the server was told to stop
    entries_.erase(key);
    return;
  }
  Entry& entry = entries_[key];
  entry.state = State::kFailed;
  entry.tried = true;
  entry.try_again = MayPass(status.code());
  SetReason(key, entry, std::string(status.message()));
  TellEvents();
}

absl::Status VersionTable::SetServing(const VersionKey& key, ServableHandle servable) {
  MutexLock lock(&mutex_);
  if (absl::Status status = Publish(key, servable); !status.ok()) return status;
  Entry& entry = entries_[key];
  std::string content = servable->content();
  entry = {.state = State::kServing,
           .fingerprint = entry.fingerprint,
           .content = std::move(content),
           .servable = std::move(servable)};
  TellEvents();
  return absl::OkStatus();
}

absl::Status VersionTable::Publish(const VersionKey& key, const ServableHandle& servable) {
  absl::Status status = registry_->Publish(servable);
  if (status.ok() && follows_name_) registry_->SetDefault(key.first);
  return status;
}

void VersionTable::PutAside(const VersionKey& key, Entry& entry, bool replaced) {
  registry_->Withdraw(key.first, key.second).IgnoreError();
  entry.missed = entry.came_back = false;
  entry.reason.clear();
  if (!replaced || options_.rollback_window <= absl::ZeroDuration()) {
    entry.state = State::kDraining;
    return;
  }
  // The one that was replaced before is not needed any more.
  for (auto& [other, version] : entries_) {
    if (other.first == key.first && version.state == State::kStandby) {
      version.state = State::kDraining;
    }
  }
  entry.state = State::kStandby;
  entry.keep_until = clock_->Now() + options_.rollback_window;
}

std::optional<std::string> VersionTable::WhyItStays(const VersionKey& key, const Entry& entry,
                                                    const WantedVersions& versions,
                                                    const FoundModels& found) const {
  const auto unreadable = found.unreadable.find(key.first);
  if (unreadable != found.unreadable.end()) return CannotBeRead(unreadable->second);
  int wanted = 0;  // of the model; but a candidate takes nobody's place
  for (const VersionKey& other : versions.wanted) {
    wanted += other.first == key.first && !IsCandidate(other) ? 1 : 0;
  }
  // It is needed until the version that is still being copied can be served.
  if (versions.unsettled.contains(key.first) && wanted < options_.policy.most &&
      !options_.policy.is_all()) {
    return entry.changed ? kChanged : "";
  }
  // Something must take its place: a version of the same model, or, if all of the model is gone,
  // another model.
  const bool is_there =
      std::any_of(found.versions.begin(), found.versions.end(),
                  [&key](const VersionFolder& folder) { return folder.model == key.first; });
  if (wanted == 0 && (is_there || versions.wanted.empty())) return kGone;
  return std::nullopt;
}

bool VersionTable::Withdraw(const WantedVersions& versions, const FoundModels& found) {
  MutexLock lock(&mutex_);
  if (rollbacks_ != versions.rollbacks) return false;
  for (auto& [key, entry] : entries_) {
    if (entry.state != State::kServing || versions.wanted.contains(key)) continue;
    const std::optional<std::string> reason = WhyItStays(key, entry, versions, found);
    if (reason.has_value()) {
      SetReason(key, entry, *reason);
      continue;
    }
    const VersionKey& own = key;  // Clang 14 captures no structured binding
    const bool replaced = std::any_of(
        versions.wanted.begin(), versions.wanted.end(), [&own](const VersionKey& other) {
          return other.first == own.first && VersionOrder()(own.second, other.second);
        });
    PutAside(key, entry, replaced);
    spdlog::info("{} is withdrawn, and finishes its requests", Describe(key));
  }
  std::erase_if(entries_, [&](const auto& entry) {
    return entry.second.state == State::kFailed && !versions.considered.contains(entry.first) &&
           !found.unreadable.contains(entry.first.first);
  });
  TellEvents();
  return true;
}

VersionTable::Freed VersionTable::FreeDrained() {
  Freed freed;
  std::vector<std::pair<VersionKey, ServableHandle>> done;
  {
    MutexLock lock(&mutex_);
    const Instant now = clock_->Now();
    for (auto& [key, entry] : entries_) {
      if (entry.state == State::kStandby && now >= entry.keep_until) {
        entry.state = State::kDraining;
        freed.any = true;
      }
      const bool is_to_go = entry.state == State::kDraining ||
                            (entry.state == State::kRolledBack && now >= entry.keep_until);
      if (is_to_go && entry.servable.use_count() <= 1) {
        done.emplace_back(key, std::move(entry.servable));
      }
    }
  }
  for (const auto& [key, servable] : done) {
    if (servable != nullptr) {
      dispatcher_->RemoveQueue(servable->queue());
      events_->OnModelUnloaded(servable->id());
      spdlog::info("{} is unloaded", Describe(key));
    }
    MutexLock lock(&mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end() || found->second.state != State::kDraining) continue;
    freed.any = true;
    freed.came_back |= found->second.came_back;
    entries_.erase(found);
    TellEvents();
  }
  return freed;
}

Instant VersionTable::NextToFree() const {
  MutexLock lock(&mutex_);
  const Instant soon = clock_->Now() + kDrainingInterval;
  Instant next = Instant::InfiniteFuture();
  for (const auto& [key, entry] : entries_) {
    if (entry.state == State::kDraining) next = std::min(next, soon);
    if (entry.servable == nullptr) continue;
    if (entry.state == State::kStandby || entry.state == State::kRolledBack) {
      next = std::min(next, std::max(entry.keep_until, soon));
    }
  }
  return next;
}

void VersionTable::TellEvents() {
  int serving = 0;
  int failed = 0;
  for (const auto& [key, entry] : entries_) {
    serving += entry.state == State::kServing ? 1 : 0;
    failed += entry.reason.empty() || entry.state == State::kRolledBack ? 0 : 1;
  }
  events_->OnVersions(serving, failed);
  TellCandidates();
}

}  // namespace hellocnn::server
