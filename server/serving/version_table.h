// What has become of each version of each model.
#ifndef HELLOCNN_SERVER_SERVING_VERSION_TABLE_H_
#define HELLOCNN_SERVER_SERVING_VERSION_TABLE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/version_number.h"
#include "hellocnn/repository/model_repository.h"
#include "hellocnn/repository/rollout.h"
#include "server/config/version_policy.h"
#include "server/observability/events.h"
#include "server/serving/batch_dispatcher.h"
#include "server/serving/model_registry.h"
#include "server/serving/model_status.h"

namespace hellocnn::server {

// The name of a model and a version of it.
using VersionKey = std::pair<std::string, std::string>;

// Orders by name, and then from the lowest version to the highest.
struct VersionKeyOrder {
  bool operator()(const VersionKey& a, const VersionKey& b) const {
    return a.first != b.first ? a.first < b.first : VersionOrder()(a.second, b.second);
  }
};

// Returns "model mnist, version 2", escaped for people; "model mnist" if the version is empty.
std::string Describe(const VersionKey& key);

// What one look at the folders wants.
struct WantedVersions {
  std::set<VersionKey> wanted;      // what is to be served, with what is still to be loaded
  std::set<VersionKey> considered;  // with what cannot be served
  std::set<std::string> unsettled;  // models of which a version is still being copied
  std::uint64_t rollbacks = 0;      // VersionTable::rollbacks() when the look began
};

// A request to roll back, or to undo that, which was carried out.
struct RolledBack {
  std::string model;
  std::string from;  // the version that served before
  std::string to;    // the version that serves now, or, if it is freed, after the next look
};

// Holds the state of each version, and changes the registry with it. A version is
//
//   loading      until it serves or has failed;
//   serving      in the registry;
//   standing by  replaced by a higher version, and loaded for the rollback window; one of a model;
//   rolled back  withdrawn by request, and not served again before its content changes, its folder
//                is removed, or the request is undone; loaded for the rollback window;
//   draining     withdrawn, until its last request has ended;
//   failed       it should be served, and cannot be.
//
// Thread-safe. RollBack, Undo and List may be called by any thread; the rest is for the one thread
// that looks at the folders.
class VersionTable {
 public:
  struct Options {
    VersionPolicy policy;
    // How long a version that was replaced or rolled back stays loaded. 0: not at all.
    absl::Duration rollback_window;
  };

  // All pointers outlive the table.
  VersionTable(Options options, ModelRegistry* registry, BatchDispatcher* dispatcher,
               Events* events, const Clock* clock);

  // Returns all versions, sorted as VersionKeyOrder does. Does not block.
  std::vector<ModelStatus> List() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Withdraws the candidate of a model, of the default model if `model` is empty. If it has none,
  // withdraws the current version, and lets the next lower version that is loaded take its place.
  // Does not block. NOT_FOUND: the model is not served. UNAVAILABLE: no model is.
  // FAILED_PRECONDITION: no lower version is loaded, or the candidate is rolled back already.
  absl::StatusOr<RolledBack> RollBack(std::string_view model) ABSL_LOCKS_EXCLUDED(mutex_);

  // Lets the version that was rolled back last serve again: at once if it is still loaded, or else
  // after the next look. Does not block. Errors as RollBack; FAILED_PRECONDITION: no version of the
  // model is rolled back, or only one is to serve and a higher one serves already.
  absl::StatusOr<RolledBack> Undo(std::string_view model) ABSL_LOCKS_EXCLUDED(mutex_);

  // Says that the name of the only version may change, and that requests which name no model follow
  // it.
  void FollowName() { follows_name_ = true; }

  // Begins a look: what has failed in the last one may be tried again.
  void BeginLook() ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns how often RollBack and Undo were carried out.
  std::uint64_t rollbacks() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Lets the candidates of the models be those that were found, and adds to `found` those that stay
  // although no file names them: that of a model that cannot be read; that of one whose file is
  // missing for the first time, unless `asked`; and one that still serves although its folder is
  // gone, because it would be the current version until it is withdrawn. Must be called before
  // KeepWhatIsGone, and before what was found is published.
  void SetRollouts(bool asked, FoundModels* found) ABSL_LOCKS_EXCLUDED(mutex_);
  // Lists models that cannot be read and of which nothing is known as failed.
  void NoteUnreadable(const FoundModels& found) ABSL_LOCKS_EXCLUDED(mutex_);
  // Gives a reason to whatever serves: the folders cannot be read.
  void NoteScanError(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Adds what serves and is missing for the first time, unless `asked`: a network file system may
  // lose sight of a folder for a moment.
  void KeepWhatIsGone(bool asked, FoundModels* found) ABSL_LOCKS_EXCLUDED(mutex_);

  // What to do about a version that the policy selects.
  enum class Known {
    kServed,
    kNotServed,  // for now, and there is no sense in loading it
    kToBeLoaded,
  };
  // What stands by or drains is served again if its folder is as it was loaded. Compares the files
  // of versions that serve or are rolled back with what was loaded; blocks while it reads them.
  // `settled` says that they are not being written.
  Known Find(const VersionFolder& folder, bool settled) ABSL_LOCKS_EXCLUDED(mutex_);

  void SetLoading(const VersionKey& key, const std::string& fingerprint)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // CANCELLED forgets the version.
  void SetFailed(const VersionKey& key, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Publishes a version that is loaded. Returns the errors of ModelRegistry::Publish.
  absl::Status SetServing(const VersionKey& key, ServableHandle servable)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Withdraws what is not wanted, if something takes its place. Forgets what has failed and is not
  // wanted any more. Returns false, and withdraws nothing, if there was a rollback since the look
  // began.
  bool Withdraw(const WantedVersions& versions, const FoundModels& found)
      ABSL_LOCKS_EXCLUDED(mutex_);
  struct Freed {
    bool any = false;        // a version has another state, or is forgotten
    bool came_back = false;  // one of them is to be loaded again
  };
  // Frees the queues and engines of what has no request left.
  Freed FreeDrained() ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns when FreeDrained should be called.
  Instant NextToFree() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    ModelStatus::State state = ModelStatus::State::kLoading;
    std::string reason;
    bool changed = false;     // its files have other content than was loaded
    bool missed = false;      // the last look did not find it
    bool try_again = false;   // it failed, and may be served although no file changes
    bool tried = false;       // it has failed in this look
    bool came_back = false;   // it is to be served again, but not before it has drained
    std::string fingerprint;  // of the files that were loaded, that failed, or that were looked at
    std::string content;      // see ContentOf; once it serves
    Instant keep_until;       // while it stands by or is rolled back
    // The number of the rollback, while it is rolled back.
    std::uint64_t rollback = 0;
    ServableHandle servable;  // while it is loaded
  };
  using Entries = std::map<VersionKey, Entry, VersionKeyOrder>;

  absl::Status Publish(const VersionKey& key, const ServableHandle& servable)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Known FindLocked(const VersionFolder& folder, bool settled, bool* look_at_files)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Looks at the files of a version that serves or is rolled back.
  Known CheckUnchanged(const VersionFolder& folder) ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes a version out of the registry. It stands by if `replaced` by a higher one.
  void PutAside(const VersionKey& key, Entry& entry, bool replaced)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns why a version that is not wanted serves on, "" if that is no matter, or nothing if it
  // need not.
  std::optional<std::string> WhyItStays(const VersionKey& key, const Entry& entry,
                                        const WantedVersions& versions,
                                        const FoundModels& found) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Withdraws a version that serves by request. `to` serves instead of it.
  RolledBack SetRolledBack(const VersionKey& key, Entry& entry, const std::string& to)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Returns true if the version is the candidate of its model, served or not.
  bool IsCandidate(const VersionKey& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Must be called when the state of a version has changed.
  void TellEvents() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TellCandidates() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  ModelRegistry* const registry_;
  BatchDispatcher* const dispatcher_;
  Events* const events_;
  const Clock* const clock_;
  bool follows_name_ = false;

  mutable Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t rollbacks_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Rollout> rollouts_ ABSL_GUARDED_BY(mutex_);  // by model
  // The models whose rollouts the last look did not find.
  std::set<std::string> missed_rollouts_ ABSL_GUARDED_BY(mutex_);
  // The candidates that serve, as events know them.
  struct Told {
    ModelId id{};
    Rollout rollout;
    bool comparable = false;
    bool operator==(const Told&) const = default;
  };
  std::map<VersionKey, Told> told_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_VERSION_TABLE_H_
