// Keeps the models that are served in step with the folders that they come from.
#ifndef HELLOCNN_SERVER_SERVING_MODEL_MANAGER_H_
#define HELLOCNN_SERVER_SERVING_MODEL_MANAGER_H_

#include <functional>
#include <map>
#include <memory>
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
#include "server/config/version_policy.h"
#include "server/observability/events.h"
#include "server/serving/batch_dispatcher.h"
#include "server/serving/model_loader.h"
#include "server/serving/model_registry.h"
#include "server/serving/model_repository.h"
#include "server/serving/model_status.h"

namespace hellocnn::server {

// Looks into the folders, and makes the registry follow: what the policy wants is loaded, verified
// and warmed up, and only then published; what it wants no more is withdrawn after that, and its
// queue and engines are freed when its last request has ended. So at no time is a model without a
// version that was served before.
//
// - A version is loaded when its files have not changed from one look to the next, and is gone when
//   it is missing in two looks. If the manager is asked to look, one look is enough.
// - A version that cannot be served is left alone until its files change, unless the reason may
// pass
//   by itself, and the next lower one takes its place.
// - A version never changes while it serves: if its files do, it goes on with what it has.
// - What vanishes is withdrawn, but never the last version of all. Of a model whose folder cannot
// be
//   read, nothing is withdrawn.
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

  // All pointers outlive the manager. Whoever calls Stop lets the StopCheck of `loader` say so
  // before.
  ModelManager(Options options, ModelLoader* loader, ModelRegistry* registry,
               BatchDispatcher* dispatcher, Events* events, const Clock* clock);
  // Calls Stop.
  ~ModelManager();

  // Loads what the policy wants. Calls `verified` once all of it has been verified, before engines
  // are made and warmed up; an error of it ends the start. Blocks for as long as loading takes. An
  // error is that of ModelRepository::Open, of `verified`, or, if no version can be served, of the
  // first that was tried. CANCELLED: stopped.
  absl::Status Start(const std::function<absl::Status()>& verified);

  // Starts the thread that looks into the folders from now on. Throws std::system_error if there is
  // no thread.
  void Watch();

  // Looks once, as the thread does, which must not run. `asked` says that nothing is to be waited
  // for. Blocks while it loads models.
  void Look(bool asked) ABSL_LOCKS_EXCLUDED(mutex_);

  // Asks the thread to look now. Does not block.
  void Rescan();

  // Returns all versions that are served, are to be served, or are leaving; sorted by name, and
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
    bool reason_passes = false;  // once its folder is there again
    bool try_again = false;      // although no file has changed
    bool missed = false;         // its folder was not there at the last look
    std::string fingerprint;     // of the files that were loaded, or that failed
    ServableHandle servable;     // while it serves and leaves
  };
  struct ToPrepare {
    Key key;
    VerifiedModel model;
  };
  // What one look wants.
  struct Plan {
    std::vector<ToPrepare> to_prepare;
    std::set<Key> wanted;              // what is to be served, with what is to be prepared
    std::set<Key> considered;          // with what cannot be served
    std::set<std::string> left_alone;  // models of which nothing is withdrawn in this look
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
  absl::Status PrepareAndPublish(const ToPrepare& one) ABSL_LOCKS_EXCLUDED(mutex_);
  // Withdraws what the plan does not want, if something takes its place.
  void Withdraw(const Plan& plan, const FoundModels& found) ABSL_LOCKS_EXCLUDED(mutex_);
  // Frees the queues and engines of what has no request left.
  void FreeLeaving() ABSL_LOCKS_EXCLUDED(mutex_);
  // Forgets versions that have failed and are not wanted any more.
  void ForgetFailed(const Plan& plan) ABSL_LOCKS_EXCLUDED(mutex_);
  void Remember(const FoundModels& found);

  bool IsServing(const Key& key) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Complains if the folder of a version that serves has other content than what was loaded.
  void CheckUnchanged(const Key& key, const VersionFolder& folder) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetLoading(const Key& key, const std::string& fingerprint) ABSL_LOCKS_EXCLUDED(mutex_);
  void SetFailed(const Key& key, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // Sets the reason, and logs it once.
  static void Complain(const Key& key, Entry& entry, std::string reason);
  void TellCounts() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  ModelLoader* const loader_;
  ModelRegistry* const registry_;
  BatchDispatcher* const dispatcher_;
  Events* const events_;
  const Clock* const clock_;

  // For the thread that looks.
  std::unique_ptr<ModelRepository> repository_;
  std::map<Key, std::string, NamedBefore> seen_;  // the fingerprints of the last look
  std::string last_scan_error_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::map<Key, Entry, NamedBefore> entries_ ABSL_GUARDED_BY(mutex_);
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_MODEL_MANAGER_H_
