// Keeps the models that are served in step with the folders that they come from.
#ifndef HELLOCNN_SERVER_SERVING_MODEL_MANAGER_H_
#define HELLOCNN_SERVER_SERVING_MODEL_MANAGER_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "hellocnn/model_repository.h"
#include "server/config/version_policy.h"
#include "server/observability/events.h"
#include "server/serving/batch_dispatcher.h"
#include "server/serving/model_loader.h"
#include "server/serving/model_registry.h"
#include "server/serving/model_status.h"

namespace hellocnn::server {

// Polls the folders of models and updates the registry. Loads, verifies and warms up what the
// policy selects, and only then publishes it. Then withdraws what the policy no longer selects, and
// frees its queue and engines when its last request has ended. So a model that stays selected is
// served without a gap.
//
// - A version is loaded if two polls in a row find the same files, and is gone if two polls do not
//   find it. If the manager is asked to poll, one is enough.
// - A version that cannot be served is left alone until its files change, unless the cause may be
//   temporary, and the next lower one is served.
// - A version never changes while it serves: if its files do, it stays as it was loaded.
// - A version that is gone is withdrawn, unless nothing takes its place. Of a model whose folder
//   cannot be read, nothing is withdrawn.
//
// Thread-safe, but for Start, Watch and Look.
class ModelManager {
 public:
  struct Options {
    std::string path;  // of a version, a model or a repository
    VersionPolicy policy;
    // How often the watching thread looks. InfiniteDuration: only if it is asked to.
    absl::Duration interval = absl::InfiniteDuration();
  };

  // All pointers outlive the manager. The StopCheck of `loader` must return true before Stop is
  // called.
  ModelManager(Options options, ModelLoader* loader, ModelRegistry* registry,
               BatchDispatcher* dispatcher, Events* events, const Clock* clock);
  // Calls Stop.
  ~ModelManager();

  // Loads what the policy wants. Calls `verified` once, after verification and before the first
  // engines are made and warmed up; an error of it ends the start. Blocks for as long as loading
  // takes. An error is that of ModelRepository::Open, of `verified`, or, if no version can be
  // served, of the first that was tried. CANCELLED: stopped.
  absl::Status Start(const std::function<absl::Status()>& verified);

  // Starts the thread that polls the folders from now on. RESOURCE_EXHAUSTED: there is no thread.
  absl::Status Watch();

  // Polls once. Must not be called while the thread of Watch runs. `asked` says that one poll is
  // enough. Blocks while it loads models.
  void Look(bool asked) ABSL_LOCKS_EXCLUDED(mutex_);

  // Asks the thread to look now. Does not block.
  void Rescan();

  // Returns all versions that are served, are to be served, or drain; sorted by name, and
  // then from the lowest version to the highest. Does not block.
  std::vector<ModelStatus> List() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Lets the thread end soon. Does not block. Idempotent.
  void AskToStop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Asks it to stop, and waits until it has. Blocks for as long as a file is read, or a batch
  // computed. The models are served on. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct NamedBefore {
    bool operator()(const std::pair<std::string, std::string>& a,
                    const std::pair<std::string, std::string>& b) const {
      return a.first != b.first ? a.first < b.first : VersionOrder()(a.second, b.second);
    }
  };
  using Key = std::pair<std::string, std::string>;  // name and version
  struct Entry {
    ModelStatus::State state = ModelStatus::State::kLoading;
    std::string reason;
    bool changed = false;     // its files have other content than was loaded
    bool missed = false;      // the last poll did not find it
    bool try_again = false;   // it failed, and may be served although no file changes
    bool came_back = false;   // it is to be served again, but not before it has drained
    std::string fingerprint;  // of the files that were loaded, that failed, or that were looked at
    ServableHandle servable;  // while it serves and drains
  };
  struct ToPrepare {
    Key key;
    VerifiedModel model;
  };
  // What one look wants.
  struct Plan {
    std::vector<ToPrepare> to_prepare;
    std::set<Key> wanted;             // what is to be served, with what is to be prepared
    std::set<Key> considered;         // with what cannot be served
    std::set<std::string> unsettled;  // models of which a version is still being copied
    absl::Status first_error;
    bool stopped = false;
  };
  enum class Outcome { kServed, kNotServed, kUnsettled, kStopped };

  void Live() ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteScanError(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Adds what serves and is missing for the first time, unless `asked`: a network file system may
  // lose sight of a folder for a moment.
  void KeepWhatIsGone(bool asked, FoundModels* found) ABSL_LOCKS_EXCLUDED(mutex_);
  // Verifies what must be loaded.
  Plan MakePlan(const FoundModels& found, bool asked) ABSL_LOCKS_EXCLUDED(mutex_);
  Outcome VerifyOne(const VersionFolder& folder, bool asked, Plan* plan)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // What is known of it without loading it, if that is enough.
  std::optional<Outcome> FindOutcome(const VersionFolder& folder) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status PrepareAndPublish(const ToPrepare& one) ABSL_LOCKS_EXCLUDED(mutex_);
  // Withdraws what the plan does not want, if something takes its place.
  void Withdraw(const Plan& plan, const FoundModels& found) ABSL_LOCKS_EXCLUDED(mutex_);
  // Frees the queues and engines of what has no request left.
  void FreeDrained() ABSL_LOCKS_EXCLUDED(mutex_);
  // Forgets versions that have failed and are not wanted any more.
  void ForgetFailed(const Plan& plan, const FoundModels& found) ABSL_LOCKS_EXCLUDED(mutex_);
  // For the next poll, and for the log, once each.
  void Remember(const FoundModels& found);
  void WarnOfUnreadable(const FoundModels& found);

  // Sets the reason of a version that serves: whether its folder is as it was loaded.
  void CheckUnchanged(const VersionFolder& folder) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetLoading(const Key& key, const std::string& fingerprint) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetFailed(const Key& key, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Sets the reason, which may be empty, and logs one that is new.
  static void SetReason(const Key& key, Entry& entry, std::string reason);
  void TellCounts() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  ModelLoader* const loader_;
  ModelRegistry* const registry_;
  BatchDispatcher* const dispatcher_;
  Events* const events_;
  const Clock* const clock_;

  // For the thread that looks.
  std::unique_ptr<ModelRepository> repository_;
  std::map<Key, std::string, NamedBefore> seen_;   // the fingerprints of the last look
  std::set<Key> tried_;                            // what has failed in this poll
  std::map<Key, int, NamedBefore> unsettled_;      // for how many polls
  std::map<std::string, std::string> unreadable_;  // models, with the errors
  std::string last_scan_error_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::map<Key, Entry, NamedBefore> entries_ ABSL_GUARDED_BY(mutex_);
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;
  bool look_now_ ABSL_GUARDED_BY(mutex_) = false;  // as if it were time
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_MODEL_MANAGER_H_
