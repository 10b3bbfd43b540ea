#include "server/serving/model_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "server/serving/model_registry.h"
#include "tests/server/scheduling/call.h"
#include "tests/testing/quiet_events.h"
#include "tests/testing/recording_events.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;

const std::string kModel = std::string(HELLOCNN_SOURCE_DIR) + "/models/mnist/1";
const VersionFolder kFolder{.model = "mnist", .version = "1", .path = kModel};
constexpr int kWorkers = 2;

// The shipped model, on real workers and the real SIMD engine.
class ModelLoaderTest : public ::testing::Test {
 protected:
  ModelLoaderTest()
      : dispatcher_(BatchDispatcher::Start(kWorkers, 8, &told_, Clock::Monotonic()).value()) {}

  ModelLoader Loader(StopCheck stop = nullptr) {
    return ModelLoader({.engine = "simd", .queue = {.max_batch_size = 8}}, dispatcher_.get(),
                       &told_, Clock::Monotonic(), std::move(stop));
  }

  testing::QuietEvents events_;
  testing::RecordingEvents told_{/*accepts=*/false};
  std::unique_ptr<BatchDispatcher> dispatcher_;
};

// A job that keeps the log-probabilities of one blank image.
class BlankImage final : public Job {
 public:
  explicit BlankImage(int classes) : row_(static_cast<std::size_t>(classes)) {
    Prepare(images_, row_, Instant::InfiniteFuture());
  }
  void OnFinished() override { done_.Notify(); }
  const std::vector<float>& Wait() {
    done_.Wait();
    EXPECT_TRUE(status().ok()) << status();
    return row_;
  }

 private:
  const std::vector<ImageView> images_{{PixelFormat::kGray8, Pixels(0)}};
  std::vector<float> row_;
  Notification done_;
};

TEST_F(ModelLoaderTest, ModelIsVerifiedPreparedAndAnswers) {
  ModelLoader loader = Loader();
  const absl::StatusOr<VerifiedModel> verified = loader.Verify(kFolder);
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(verified->engines.name, "simd");
  // Nothing of it can be asked yet.
  EXPECT_EQ(dispatcher_->queued_images(), 0);

  const absl::StatusOr<ServableHandle> servable = loader.Prepare(*verified);
  ASSERT_TRUE(servable.ok()) << servable.status();
  EXPECT_EQ((*servable)->name(), "mnist");
  EXPECT_EQ((*servable)->classes(), 10);
  dispatcher_->pool().Attach(&events_);
  BlankImage job((*servable)->classes());
  ASSERT_TRUE((*servable)->Submit(&job).ok());
  double sum = 0;
  for (const float value : job.Wait()) sum += std::exp(value);
  EXPECT_NEAR(sum, 1, 1e-5);
}

TEST_F(ModelLoaderTest, ModelsAreLoadedAndRemovedWhileAnotherOneServes) {
  ModelLoader loader = Loader();
  const VerifiedModel verified = loader.Verify(kFolder).value();
  dispatcher_->pool().Attach(&events_);
  ModelRegistry registry;
  ASSERT_TRUE(registry.Publish(loader.Prepare(verified).value()).ok());
  for (int version = 2; version < 6; ++version) {
    VerifiedModel next = verified;
    next.card.version = std::to_string(version);
    ASSERT_TRUE(registry.Publish(loader.Prepare(next).value()).ok());
    const ServableHandle handle = registry.Default().value();
    BlankImage job(handle->classes());
    ASSERT_TRUE(handle->Submit(&job).ok());
    job.Wait();
    const ServableHandle old = registry.Withdraw("mnist", std::to_string(version - 1)).value();
    dispatcher_->RemoveQueue(old->queue());
  }
  EXPECT_EQ(registry.Default().value()->version(), "5");
}

TEST_F(ModelLoaderTest, StopIsObeyedWhileTheEngineIsVerified) {
  int asked = 0;
  const absl::Status status = Loader([&] { return ++asked > 2; }).Verify(kFolder).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
  EXPECT_EQ(asked, 3);
}

TEST_F(ModelLoaderTest, StopIsObeyedDuringWarmUpAndLeavesNoQueue) {
  bool stop = false;
  ModelLoader loader = Loader([&] { return stop; });
  const VerifiedModel verified = loader.Verify(kFolder).value();
  stop = true;
  EXPECT_EQ(loader.Prepare(verified).status().code(), absl::StatusCode::kCancelled);
  stop = false;
  EXPECT_TRUE(loader.Prepare(verified).ok());
}

TEST_F(ModelLoaderTest, FolderSaysTheNameAndTheVersion) {
  const VersionFolder folder{.model = "digits", .version = "12", .path = kModel};
  const absl::StatusOr<VerifiedModel> verified = Loader().Verify(folder);
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_EQ(verified->card.name, "digits");
  EXPECT_EQ(verified->card.version, "12");
}

TEST_F(ModelLoaderTest, FolderWithoutAModelIsNamed) {
  const absl::Status status = Loader().Verify({.path = "/nowhere/at/all"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nowhere/at/all"));
}

TEST_F(ModelLoaderTest, CardWithAnotherNumberOfLabelsThanTheWeightsIsRejected) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::path(::testing::TempDir()) / "nine_labels";
  fs::remove_all(folder);
  fs::copy(kModel, folder);
  std::ifstream in(kModel + "/model_card.json");
  std::string card((std::istreambuf_iterator<char>(in)), {});
  const std::size_t last = card.find("\"9\"");
  ASSERT_NE(last, std::string::npos);
  const std::size_t comma = card.rfind(',', last);
  card.erase(comma, last + 3 - comma);
  std::ofstream(folder / "model_card.json") << card;
  const absl::Status status = Loader().Verify({.path = folder.string()}).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("9"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("10"));
}

}  // namespace
}  // namespace hellocnn::server
