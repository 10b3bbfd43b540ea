#include "server/serving/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/serving/batch_dispatcher.h"
#include "tests/server/scheduling/call.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/model_card.h"
#include "tests/testing/quiet_events.h"
#include "tests/testing/recording_events.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(LogProbabilityDistanceTest, IsTheLargestOfTheClassesThatCount) {
  using Row = std::vector<float>;
  EXPECT_EQ(LogProbabilityDistance(Row{-0.1F, -3}, Row{-0.1F, -3}), 0);
  EXPECT_NEAR(LogProbabilityDistance(Row{-0.1F, -3}, Row{-0.2F, -2.5F}), 0.5, 1e-6);
  // Neither gives the second class 1%.
  EXPECT_NEAR(LogProbabilityDistance(Row{-0.1F, -30}, Row{-0.2F, -5}), 0.1, 1e-6);
  // One of them does.
  EXPECT_NEAR(LogProbabilityDistance(Row{-0.1F, -9}, Row{-0.2F, -4}), 5, 1e-6);
  EXPECT_EQ(LogProbabilityDistance(Row{0, -1000}, Row{-1000, 0}), 10);
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(LogProbabilityDistance(Row{0, -infinity}, Row{-infinity, 0}), 10);
  EXPECT_EQ(LogProbabilityDistance(Row{0, -infinity}, Row{0, -infinity}), 0);
}

// Two versions on one worker, with an engine each.
class ComparerTest : public ::testing::Test {
 protected:
  static constexpr int kBatch = 4;

  ComparerTest()
      : dispatcher_(BatchDispatcher::Start(1, kBatch, &told_, Clock::Monotonic()).value()),
        comparer_(&told_, Clock::Monotonic()) {
    current_ = Add("1", &current_engines_);
    candidate_ = Add("2", &candidate_engines_);
    dispatcher_->pool().Attach(&events_);
  }
  ~ComparerTest() override { dispatcher_->Stop(); }

  ServableHandle Add(const std::string& version, testing::FakeEngines* engines) {
    const ModelId id = told_.AddModel({.name = "mnist", .version = version});
    BatchQueue* const queue = dispatcher_->AddQueue({.max_batch_size = kBatch}, id).value();
    dispatcher_->pool().ForEachWorker([&](int worker) {
      dispatcher_->executor(worker).SetEngine(queue, engines->Factory()().value(),
                                              {.events = &told_, .model = id});
      return false;
    });
    ModelCard card = testing::DigitsCard();
    card.version = version;
    return std::make_shared<const Servable>(card, "fake", id, dispatcher_.get(), queue);
  }

  // Compares a request whose images have these first pixels, and whose rows a fake engine would
  // write for the pixels of `said`.
  void Compare(const std::vector<int>& pixels, const std::vector<int>& said, bool canary = false) {
    std::vector<std::array<std::byte, 1024>> bytes(pixels.size());
    std::vector<ImageView> images;
    std::vector<float> rows;
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      bytes[i][0] = static_cast<std::byte>(pixels[i]);
      images.push_back({PixelFormat::kGray8, bytes[i].data()});
      const auto row = testing::FakeRow(said[i]);
      rows.insert(rows.end(), row.begin(), row.end());
    }
    comparer_.Compare({.responds = canary ? candidate_ : current_,
                       .compared = canary ? current_ : candidate_,
                       .candidate_responds = canary},
                      {.images = images,
                       .log_probabilities = rows,
                       .timing = {.compute = absl::Milliseconds(7)}});
    for (auto& image : bytes) image.fill(std::byte{99});  // the request has gone
  }

  testing::QuietEvents events_;
  testing::RecordingEvents told_{/*accepts=*/false};
  testing::FakeEngines current_engines_;
  testing::FakeEngines candidate_engines_;
  std::unique_ptr<BatchDispatcher> dispatcher_;
  Comparer comparer_;
  ServableHandle current_;
  ServableHandle candidate_;
};

TEST_F(ComparerTest, ShadowComputesTheImagesOfARequestThatHasGone) {
  Compare({3, 14}, {3, 15});
  told_.WaitUntilCompared(1);
  const auto [comparison, images] = told_.comparisons().at(0);
  EXPECT_EQ(comparison.candidate, candidate_->id());
  ASSERT_EQ(images.size(), 2);
  EXPECT_EQ(images[0].class_index, 3);
  EXPECT_TRUE(images[0].same_class);
  EXPECT_EQ(images[0].distance, 0);
  EXPECT_EQ(images[1].class_index, 5);  // as the current version has said
  EXPECT_FALSE(images[1].same_class);
  EXPECT_EQ(images[1].distance, 10);
  EXPECT_EQ(current_engines_.calls(), 0);
  EXPECT_EQ(told_.spare(), 2);
  EXPECT_EQ(told_.computed(), 0);
}

TEST_F(ComparerTest, CanaryIsComparedWithWhatTheCurrentVersionWouldHaveSaid) {
  Compare({14}, {15}, /*canary=*/true);
  told_.WaitUntilCompared(1);
  const auto [comparison, images] = told_.comparisons().at(0);
  EXPECT_EQ(comparison.candidate, candidate_->id());
  EXPECT_EQ(images.at(0).class_index, 4);
  EXPECT_FALSE(images.at(0).same_class);
  EXPECT_EQ(candidate_engines_.calls(), 0);
}

TEST_F(ComparerTest, NothingIsComparedWithoutASecondVersion) {
  comparer_.Compare({.responds = current_}, {});
  EXPECT_EQ(candidate_engines_.calls(), 0);
  EXPECT_THAT(told_.skips(), IsEmpty());
}

TEST_F(ComparerTest, NothingIsComparedWhileAWholeBatchWaits) {
  candidate_engines_.Hold();
  Compare({1}, {1});
  candidate_engines_.WaitUntilHeld(1);
  Compare({1, 2, 3}, {1, 2, 3});
  Compare({4}, {4});  // 3 images wait, which is no batch
  EXPECT_THAT(told_.skips(), IsEmpty());
  Compare({5}, {5});
  EXPECT_THAT(told_.skips(), ElementsAre("busy"));
  candidate_engines_.Release();
  told_.WaitUntilCompared(4);
  EXPECT_EQ(told_.comparisons().size(), 3);
  EXPECT_EQ(candidate_engines_.calls(), 2);
}

TEST_F(ComparerTest, RequestsComeFirst) {
  candidate_engines_.Hold();
  Compare({1}, {1});
  candidate_engines_.WaitUntilHeld(1);
  Compare({2, 3}, {2, 3}, /*canary=*/true);  // waits for the version that has the request below
  Call first({4, 5, 6, 7}), second({8});
  ASSERT_TRUE(current_->Submit(first.job()).ok());
  ASSERT_TRUE(current_->Submit(second.job()).ok());
  candidate_engines_.Release();
  told_.WaitUntilCompared(2);
  EXPECT_THAT(current_engines_.batch_sizes(), ElementsAre(4, 1, 2));
  EXPECT_EQ(first.Wait(), "OK");
  EXPECT_EQ(second.Wait(), "OK");
  EXPECT_EQ(told_.computed(), 5);
  EXPECT_EQ(told_.waits().size(), 2);  // of requests only
  EXPECT_EQ(told_.grey_levels().size(), 5);
}

TEST_F(ComparerTest, NothingIsComparedIfNobodyReadsIt) {
  const Comparer comparer(NoEvents(), Clock::Monotonic());
  comparer.Compare({.responds = current_, .compared = candidate_}, {});
  EXPECT_EQ(candidate_.use_count(), 1);
}

TEST_F(ComparerTest, CandidateThatFailsHurtsNobody) {
  candidate_engines_.Fail(absl::InternalError("broken"));
  Compare({1}, {1});
  told_.WaitUntilCompared(1);
  EXPECT_THAT(told_.skips(), ElementsAre("failed"));
  EXPECT_EQ(told_.failed() + told_.dropped() + told_.discarded(), 0);
}

TEST_F(ComparerTest, BothVersionsLiveUntilTheirComparisonHasEnded) {
  candidate_engines_.Hold();
  Compare({1}, {1});
  candidate_engines_.WaitUntilHeld(1);
  EXPECT_EQ(current_.use_count(), 2);
  EXPECT_EQ(candidate_.use_count(), 2);
  candidate_engines_.Release();
  dispatcher_->Stop();
  EXPECT_EQ(current_.use_count(), 1);
  EXPECT_EQ(candidate_.use_count(), 1);
}

TEST_F(ComparerTest, StoppedServerComparesNothing) {
  dispatcher_->Stop();
  Compare({1}, {1});
  EXPECT_THAT(told_.skips(), ElementsAre("busy"));
}

}  // namespace
}  // namespace hellocnn::server
