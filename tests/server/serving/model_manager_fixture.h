// A manager of models with real folders and workers, for tests.
#ifndef HELLOCNN_TESTS_SERVER_SERVING_MODEL_MANAGER_FIXTURE_H_
#define HELLOCNN_TESTS_SERVER_SERVING_MODEL_MANAGER_FIXTURE_H_

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "server/serving/model_manager.h"
#include "tests/testing/model_folders.h"
#include "tests/testing/quiet_events.h"
#include "tests/testing/recording_events.h"

namespace hellocnn::server {

// The shipped model in folders, on real workers and the real SIMD engine. The manager looks when
// the test lets it.
class ModelManagerTest : public ::testing::Test {
 protected:
  ModelManagerTest()
      : dispatcher_(BatchDispatcher::Start(2, 4, &told_, Clock::Monotonic()).value()),
        loader_({.engine = "simd", .queue = {.max_batch_size = 4}}, dispatcher_.get(), &told_,
                Clock::Monotonic(), [this] { return stop_.load(); }) {
    dispatcher_->pool().Attach(&events_);
  }
  ~ModelManagerTest() override {
    stop_ = true;
    if (manager_ != nullptr) manager_->Stop();
  }

  absl::Status Start(const std::string& folder, const std::string& policy = "latest",
                     absl::Duration rollback_window = absl::ZeroDuration()) {
    manager_ = std::make_unique<ModelManager>(
        ModelManager::Options{.path = folders_.Path(folder),
                              .policy = VersionPolicy::Parse(policy).value(),
                              .rollback_window = rollback_window},
        &loader_, &registry_, dispatcher_.get(), &told_, Clock::Monotonic());
    return manager_->Start([] { return absl::OkStatus(); });
  }

  // "name/version state", and the reason if there is one.
  std::vector<std::string> List() const {
    static constexpr const char* kStates[] = {"loading",     "serving",  "standby",
                                              "rolled back", "draining", "failed"};
    std::vector<std::string> list;
    for (const ModelStatus& status : manager_->List()) {
      list.push_back(status.name + "/" + status.version + " " +
                     kStates[static_cast<int>(status.state)] +
                     (status.reason.empty() ? "" : ": " + status.reason));
    }
    return list;
  }
  // Lets the manager look as often, each time as if it had been asked to, unless `asked` is false.
  void Look(int times = 1, bool asked = true) {
    for (int i = 0; i < times; ++i) manager_->Look(asked);
  }
  std::string Current(const std::string& model = "") {
    const absl::StatusOr<ServableHandle> servable = registry_.Find(model, "");
    return servable.ok() ? (*servable)->version() : std::string(servable.status().message());
  }

  const testing::ModelFolders folders_;
  testing::QuietEvents events_;
  testing::RecordingEvents told_{/*accepts=*/false};
  std::atomic<bool> stop_{false};
  std::unique_ptr<BatchDispatcher> dispatcher_;
  ModelLoader loader_;
  ModelRegistry registry_;
  std::unique_ptr<ModelManager> manager_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_TESTS_SERVER_SERVING_MODEL_MANAGER_FIXTURE_H_
