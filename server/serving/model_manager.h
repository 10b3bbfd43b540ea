// Keeps the models that are served in step with the folders that they come from.
#ifndef HELLOCNN_SERVER_SERVING_MODEL_MANAGER_H_
#define HELLOCNN_SERVER_SERVING_MODEL_MANAGER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "hellocnn/repository/model_repository.h"
#include "server/config/version_policy.h"
#include "server/observability/events.h"
#include "server/serving/batch_dispatcher.h"
#include "server/serving/model_loader.h"
#include "server/serving/model_registry.h"
#include "server/serving/model_status.h"
#include "server/serving/version_table.h"

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
    // How long a version that was replaced or rolled back stays loaded. 0: not at all.
    absl::Duration rollback_window;
    // Called when the state of a version may have changed, with no lock held, by the thread that
    // has changed it. May be null.
    std::function<void()> on_change;
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
  std::vector<ModelStatus> List() const { return versions_.List(); }

  // Lets the version before the current one serve, and undoes that. `model` may be empty, which
  // stands for the default model. See VersionTable, also for the errors. Neither blocks.
  absl::StatusOr<RolledBack> RollBack(std::string_view model);
  absl::StatusOr<RolledBack> UndoRollback(std::string_view model);

  // Lets the thread end soon. Does not block. Idempotent.
  void AskToStop() ABSL_LOCKS_EXCLUDED(mutex_);
  // Asks it to stop, and waits until it has. Blocks for as long as a file is read, or a batch
  // computed. The models are served on. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct ToPrepare {
    VersionKey key;
    VerifiedModel model;
  };
  // What one look wants.
  struct Plan {
    std::vector<ToPrepare> to_prepare;
    WantedVersions versions;
    absl::Status first_error;
    bool stopped = false;
  };
  enum class Outcome { kServed, kNotServed, kUnsettled, kStopped };

  void Live() ABSL_LOCKS_EXCLUDED(mutex_);
  void NoteScanError(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Verifies what must be loaded.
  Plan MakePlan(const FoundModels& found, bool asked) ABSL_LOCKS_EXCLUDED(mutex_);
  Outcome VerifyOne(const VersionFolder& folder, bool asked, Plan* plan)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status PrepareAndPublish(const ToPrepare& one) ABSL_LOCKS_EXCLUDED(mutex_);
  void FreeDrained() ABSL_LOCKS_EXCLUDED(mutex_);
  void TellChange() const {
    if (options_.on_change != nullptr) options_.on_change();
  }
  // Lets the thread look again at once.
  void LookAgain() ABSL_LOCKS_EXCLUDED(mutex_);
  // For the next poll, and for the log, once each.
  void Remember(const FoundModels& found);
  void WarnOfUnreadable(const FoundModels& found);

  const Options options_;
  ModelLoader* const loader_;
  Events* const events_;
  const Clock* const clock_;
  VersionTable versions_;

  // For the thread that looks.
  std::unique_ptr<ModelRepository> repository_;
  std::map<VersionKey, std::string> seen_;         // the fingerprints of the last look
  std::map<VersionKey, int> unsettled_;            // for how many polls
  std::map<std::string, std::string> unreadable_;  // models, with the errors
  std::string last_scan_error_;

  mutable Mutex mutex_;
  CondVar changed_;
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;
  bool look_now_ ABSL_GUARDED_BY(mutex_) = false;    // as if it were time
  bool free_later_ ABSL_GUARDED_BY(mutex_) = false;  // something has a time to be freed
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_MODEL_MANAGER_H_
