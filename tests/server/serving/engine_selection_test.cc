#include "server/serving/engine_selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tests/testing/fake_engine.h"

namespace hellocnn::server {
namespace {

using testing::FakeEngines;
using testing::FakePrediction;
using testing::FirstPixel;
using ::testing::HasSubstr;

// Changes the answers to a batch.
using Fault = std::function<void(std::span<Prediction>)>;

// A fake engine's answers, with a fault.
EngineFactory Faulty(const Fault& fault) {
  class FaultyEngine : public Engine {
   public:
    explicit FaultyEngine(const Fault& fault) : fault_(fault) {}
    absl::Status Classify(std::span<const ImageView> images,
                          std::span<Prediction> predictions) override {
      for (std::size_t i = 0; i < images.size(); ++i) {
        predictions[i] = FakePrediction(FirstPixel(images[i]));
      }
      fault_(predictions);
      return absl::OkStatus();
    }

   private:
    const Fault fault_;
  };
  return [fault]() -> absl::StatusOr<std::unique_ptr<Engine>> {
    return std::make_unique<FaultyEngine>(fault);
  };
}

EngineCandidate Candidate(const std::string& name, const EngineFactory& factory) {
  return {name, [factory] { return factory; }};
}

TEST(CheckAgreementTest, AcceptsAnEngineThatAgreesAfterEveryBatchSize) {
  FakeEngines candidate;
  FakeEngines reference;
  EXPECT_TRUE(CheckAgreement(candidate.Factory(), reference.Factory(), 200).ok());
  std::vector<int> sizes;
  for (int size = 1; size <= 200; ++size) sizes.push_back(size);
  EXPECT_EQ(candidate.batch_sizes(), sizes);
}

TEST(CheckAgreementTest, NeverExceedsASmallLimit) {
  FakeEngines candidate;
  FakeEngines reference;
  EXPECT_TRUE(CheckAgreement(candidate.Factory(), reference.Factory(), 1).ok());
  EXPECT_EQ(candidate.batch_sizes(), std::vector<int>{1});
}

TEST(CheckAgreementTest, ReportsTheImageThatIsWrongInOneBatchSizeOnly) {
  FakeEngines reference;
  const absl::Status status = CheckAgreement(Faulty([](std::span<Prediction> predictions) {
                                               if (predictions.size() != 17) return;
                                               predictions[16].log_probabilities[3] += 1;
                                             }),
                                             reference.Factory(), 32);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("image 16 of a batch of 17, class 3"));
}

// The greatest log-probability of a fake is 1000 in magnitude.
TEST(CheckAgreementTest, ToleratesRoundingInProportion) {
  FakeEngines reference;
  const auto off_by = [](float amount) {
    return Faulty([amount](std::span<Prediction> predictions) {
      predictions.back().log_probabilities[5] += amount;
    });
  };
  EXPECT_TRUE(CheckAgreement(off_by(0.09F), reference.Factory(), 8).ok());
  EXPECT_FALSE(CheckAgreement(off_by(0.11F), reference.Factory(), 8).ok());
}

TEST(CheckAgreementTest, NotANumberNeverAgrees) {
  FakeEngines reference;
  const absl::Status status = CheckAgreement(Faulty([](std::span<Prediction> predictions) {
                                               predictions[0].log_probabilities[0] =
                                                   std::numeric_limits<float>::quiet_NaN();
                                             }),
                                             reference.Factory(), 8);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
}

TEST(SelectEnginesTest, TakesTheFirstThatAgrees) {
  FakeEngines good;
  FakeEngines also_good;
  FakeEngines reference;
  const auto selected =
      SelectEngines({Candidate("fast", good.Factory()), Candidate("slow", also_good.Factory())},
                    reference.Factory(), 4);
  ASSERT_TRUE(selected.ok()) << selected.status();
  EXPECT_EQ(selected->name, "fast");
  EXPECT_EQ(also_good.made(), 0);
}

TEST(SelectEnginesTest, PassesOverThoseThatDisagreeOrFail) {
  FakeEngines unmakable;
  unmakable.FailToMake(absl::InternalError("no such instruction"));
  FakeEngines broken;
  broken.Fail(absl::InternalError("broken"));
  FakeEngines good;
  FakeEngines reference;
  const auto wrong =
      Faulty([](std::span<Prediction> predictions) { predictions[0].log_probabilities.fill(0); });
  const auto selected =
      SelectEngines({{"missing", [] { return absl::NotFoundError("no library"); }},
                     Candidate("unmakable", unmakable.Factory()),
                     Candidate("broken", broken.Factory()),
                     Candidate("wrong", wrong),
                     Candidate("good", good.Factory())},
                    reference.Factory(), 4);
  ASSERT_TRUE(selected.ok()) << selected.status();
  EXPECT_EQ(selected->name, "good");
}

TEST(SelectEnginesTest, FailsIfNoneAgrees) {
  FakeEngines broken;
  broken.Fail(absl::InternalError("broken"));
  FakeEngines reference;
  EXPECT_EQ(SelectEngines({Candidate("only", broken.Factory())}, reference.Factory(), 4).status(),
            absl::InternalError("engine only: broken"));
}

TEST(SelectEnginesTest, MakesNoneThatItDoesNotNeed) {
  FakeEngines good;
  FakeEngines reference;
  bool made = false;
  const auto selected = SelectEngines({Candidate("good", good.Factory()),
                                       {"heavy",
                                        [&]() -> absl::StatusOr<EngineFactory> {
                                          made = true;
                                          return good.Factory();
                                        }}},
                                      reference.Factory(), 4);
  ASSERT_TRUE(selected.ok()) << selected.status();
  EXPECT_FALSE(made);
}

}  // namespace
}  // namespace hellocnn::server
