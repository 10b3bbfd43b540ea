// What VersionTable does by request: rollbacks and rollouts.
#include <spdlog/spdlog.h>

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/shown.h"
#include "server/serving/version_table.h"

namespace hellocnn::server {
namespace {

using State = ModelStatus::State;

constexpr char kRolledBack[] =
    "it was rolled back by request; it is served again when its content changes, when the server "
    "starts again, or when the request is undone";

}  // namespace

absl::StatusOr<RolledBack> VersionTable::RollBack(std::string_view model) {
  MutexLock lock(&mutex_);
  const absl::StatusOr<ServableHandle> current = registry_->Find(model, {});
  if (!current.ok()) return current.status();
  const std::optional<ModelRegistry::ActiveRollout> rollout = registry_->FindRollout(model);
  const Servable& leaving = rollout.has_value() ? *rollout->candidate : **current;
  const auto from = entries_.find({leaving.name(), leaving.version()});
  if (from == entries_.end() || from->second.state != State::kServing) {
    return absl::UnavailableError("the current version is about to change; try again");
  }
  if (rollout.has_value()) {
    return SetRolledBack(from->first, from->second, (*current)->version());
  }
  const auto candidate = rollouts_.find(from->first.first);
  if (candidate != rollouts_.end()) {
    const VersionKey key{candidate->first, candidate->second.candidate};
    const auto entry = entries_.find(key);
    if (entry != entries_.end() && entry->second.state == State::kRolledBack) {
      return absl::FailedPreconditionError(
          absl::StrCat(Describe(key), " is the candidate, and is rolled back already. To roll ",
                       "version ", Shown(from->first.second),
                       " back, end the rollout first: hellocnn model rollout FOLDER --end"));
    }
  }
  auto to = from;
  while (to != entries_.begin()) {
    --to;
    const bool loaded = to->second.state == State::kServing || to->second.state == State::kStandby;
    if (to->first.first != from->first.first) break;
    if (!loaded) continue;
    if (to->second.state == State::kStandby) {
      if (absl::Status status = Publish(to->first, to->second.servable); !status.ok()) {
        return status;
      }
      to->second.state = State::kServing;
    }
    return SetRolledBack(from->first, from->second, to->first.second);
  }
  return absl::FailedPreconditionError(
      absl::StrCat(Describe(from->first),
                   " cannot be rolled back, because no lower version is loaded. A version that is "
                   "replaced stays "
                   "loaded for the time of --rollback-window, which is ",
                   absl::FormatDuration(options_.rollback_window),
                   ". To go back nevertheless, take the folder of version ",
                   Shown(from->first.second), " away"));
}

absl::StatusOr<RolledBack> VersionTable::Undo(std::string_view model) {
  MutexLock lock(&mutex_);
  const absl::StatusOr<ServableHandle> current = registry_->Find(model, {});
  if (!current.ok()) return current.status();
  const std::string& name = (*current)->name();
  auto found = entries_.end();  // what was rolled back last
  for (auto one = entries_.begin(); one != entries_.end(); ++one) {
    if (one->first.first != name || one->second.state != State::kRolledBack) continue;
    if (found == entries_.end() || one->second.rollback > found->second.rollback) found = one;
  }
  if (found == entries_.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("no version of model ", Shown(name), " is rolled back"));
  }
  const VersionKey key = found->first;
  if (options_.policy.most == 1 && !IsCandidate(key) &&
      VersionOrder()(key.second, (*current)->version())) {
    return absl::FailedPreconditionError(
        absl::StrCat(Describe(key), " stays rolled back, because the higher version ",
                     Shown((*current)->version()), " serves"));
  }
  Entry& entry = found->second;
  if (entry.servable == nullptr) {
    entries_.erase(found);
  } else {
    if (absl::Status status = Publish(key, entry.servable); !status.ok()) return status;
    entry.state = State::kServing;
    entry.reason.clear();
  }
  ++rollbacks_;
  spdlog::warn("the rollback of {} is undone by request", Describe(key));
  TellEvents();
  return RolledBack{name, (*current)->version(), key.second};
}

RolledBack VersionTable::SetRolledBack(const VersionKey& key, Entry& entry, const std::string& to) {
  PutAside(key, entry, /*replaced=*/false);
  entry.state = State::kRolledBack;
  entry.keep_until = clock_->Now() + options_.rollback_window;
  entry.reason = kRolledBack;
  entry.rollback = ++rollbacks_;
  if (entry.changed) {  // what is in its folder is held back, and not only what was loaded
    entry.changed = false;
    entry.fingerprint.clear();
    entry.content.clear();
  }
  spdlog::warn("{} is rolled back by request, and version {} serves", Describe(key), Shown(to));
  TellEvents();
  return RolledBack{key.first, key.second, to};
}

void VersionTable::SetRollouts(bool asked, FoundModels* found) {
  std::set<VersionKey> there;
  for (const VersionFolder& folder : found->versions) there.insert({folder.model, folder.version});
  MutexLock lock(&mutex_);
  std::set<std::string> missed;
  for (const auto& [model, rollout] : rollouts_) {
    if (found->rollouts.contains(model)) continue;
    const VersionKey candidate{model, rollout.candidate};
    const auto entry = entries_.find(candidate);
    const bool serves = entry != entries_.end() && entry->second.state == State::kServing;
    const bool stays = found->unreadable.contains(model) ||
                       (!asked && !missed_rollouts_.contains(model)) ||
                       (serves && !there.contains(candidate));
    missed.insert(model);
    if (stays) {
      found->rollouts.emplace(model, rollout);
    } else {
      registry_->SetRollout(model, std::nullopt);
    }
  }
  for (const auto& [model, rollout] : found->rollouts) registry_->SetRollout(model, rollout);
  rollouts_ = found->rollouts;
  missed_rollouts_ = std::move(missed);
  TellEvents();
}

bool VersionTable::IsCandidate(const VersionKey& key) const {
  const auto rollout = rollouts_.find(key.first);
  return rollout != rollouts_.end() && rollout->second.candidate == key.second;
}

void VersionTable::TellCandidates() {
  std::map<VersionKey, Told> now;
  for (const auto& [model, rollout] : rollouts_) {
    const std::optional<ModelRegistry::ActiveRollout> active = registry_->FindRollout(model);
    if (!active.has_value()) continue;
    const VersionKey key{model, active->candidate->version()};
    const auto [told, is_new] =
        now.emplace(key, Told{active->candidate->id(), rollout, active->comparable});
    const auto before = told_.find(key);
    if (before != told_.end() && before->second == told->second) continue;
    events_->OnCandidate(told->second.id, NameOf(rollout.mode), rollout.share);
    spdlog::info(
        "{} is the candidate for the place of version {}: as a {} it computes {} of the "
        "requests",
        Describe(key), Shown(active->current->version()), NameOf(rollout.mode),
        absl::StrFormat("%.4g%%", 100 * rollout.share));
    if (!active->comparable) {
      spdlog::warn("{} has other classes than version {}, so nothing is compared", Describe(key),
                   Shown(active->current->version()));
    }
  }
  for (const auto& [key, told] : told_) {
    if (now.contains(key)) continue;
    events_->OnCandidate(told.id, "", 0);
    spdlog::info("{} is no candidate any more", Describe(key));
  }
  told_ = std::move(now);
}

}  // namespace hellocnn::server
