#include "server/serving/engine_selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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
using ::testing::HasSubstr;
using testing::kFakeClasses;
using testing::WriteFakeRows;

// Changes the log-probabilities of a batch, [images, kFakeClasses].
using Fault = std::function<void(std::span<float>)>;

// A fake engine's results, with a fault.
EngineFactory Faulty(const Fault& fault, int classes = kFakeClasses) {
  class FaultyEngine : public Engine {
   public:
    FaultyEngine(const Fault& fault, int classes) : fault_(fault), classes_(classes) {}
    int classes() const override { return classes_; }
    void Classify(std::span<const ImageView> images, std::span<float> log_probabilities,
                  std::span<absl::Status> statuses) override {
      std::fill(statuses.begin(), statuses.end(), absl::OkStatus());
      WriteFakeRows(images, log_probabilities);
      fault_(log_probabilities);
    }

   private:
    const Fault fault_;
    const int classes_;
  };
  return [fault, classes]() -> absl::StatusOr<std::unique_ptr<Engine>> {
    return std::make_unique<FaultyEngine>(fault, classes);
  };
}

EngineCandidate Candidate(const std::string& name, const EngineFactory& factory) {
  return {name, [factory] { return factory; }};
}

// What a fake engine as the reference says of an engine of `candidate`.
absl::Status Check(const EngineFactory& candidate, int max_batch_size,
                   const StopCheck& stop = nullptr) {
  FakeEngines reference;
  const auto results = ReferenceResults::Compute(**reference.Factory()());
  EXPECT_TRUE(results.ok()) << results.status();
  return results->Check(**candidate(), max_batch_size, stop);
}

TEST(ReferenceResultsTest, AcceptsAnEngineThatAgreesAfterEveryBatchSize) {
  FakeEngines candidate;
  EXPECT_TRUE(Check(candidate.Factory(), 200).ok());
  std::vector<int> sizes;
  for (int size = 1; size <= 200; ++size) sizes.push_back(size);
  EXPECT_EQ(candidate.batch_sizes(), sizes);
}

TEST(ReferenceResultsTest, NeverExceedsASmallLimit) {
  FakeEngines candidate;
  EXPECT_TRUE(Check(candidate.Factory(), 1).ok());
  EXPECT_EQ(candidate.batch_sizes(), std::vector<int>{1});
}

TEST(ReferenceResultsTest, OneReferenceChecksManyEngines) {
  FakeEngines reference;
  FakeEngines candidates;
  const auto results = ReferenceResults::Compute(**reference.Factory()());
  ASSERT_TRUE(results.ok()) << results.status();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(results->Check(**candidates.Factory()(), 4).ok());
  EXPECT_EQ(candidates.calls(), 3 * 4);
  const std::vector<int> one_by_one(reference.batch_sizes().size(), 1);
  EXPECT_EQ(reference.batch_sizes(), one_by_one);
}

TEST(ReferenceResultsTest, ReportsTheImageThatIsWrongInOneBatchSizeOnly) {
  const absl::Status status = Check(Faulty([](std::span<float> log_probabilities) {
                                      if (log_probabilities.size() != 17 * kFakeClasses) return;
                                      log_probabilities[16 * kFakeClasses + 3] += 1;
                                    }),
                                    32);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("image 16 of a batch of 17, class 3"));
}

// The greatest log-probability of a fake is 1000 in magnitude.
TEST(ReferenceResultsTest, ToleratesRoundingInProportion) {
  const auto off_by = [](float amount) {
    return Faulty([amount](std::span<float> log_probabilities) {
      log_probabilities[log_probabilities.size() - kFakeClasses + 5] += amount;
    });
  };
  EXPECT_TRUE(Check(off_by(0.09F), 8).ok());
  EXPECT_FALSE(Check(off_by(0.11F), 8).ok());
}

TEST(ReferenceResultsTest, NotANumberNeverAgrees) {
  const absl::Status status = Check(Faulty([](std::span<float> log_probabilities) {
                                      log_probabilities[0] =
                                          std::numeric_limits<float>::quiet_NaN();
                                    }),
                                    8);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
}

TEST(ReferenceResultsTest, AnotherNumberOfClassesNeverAgrees) {
  const absl::Status status = Check(Faulty([](std::span<float>) {}, kFakeClasses + 1), 8);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has 11 classes"));
}

TEST(ReferenceResultsTest, AnEngineThatFailsForOneImageFails) {
  FakeEngines candidate;
  candidate.Reject(0, absl::InvalidArgumentError("too large"));
  EXPECT_EQ(Check(candidate.Factory(), 8), absl::InvalidArgumentError("too large"));
}

TEST(ReferenceResultsTest, StopsBetweenTwoBatches) {
  FakeEngines candidate;
  const absl::Status status =
      Check(candidate.Factory(), 1000, [&candidate] { return candidate.calls() == 3; });
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(candidate.calls(), 3);
}

TEST(ReferenceResultsTest, StopsWhileTheReferenceIsComputed) {
  FakeEngines reference;
  const auto results = ReferenceResults::Compute(**reference.Factory()(),
                                                 [&reference] { return reference.calls() == 2; });
  EXPECT_EQ(results.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(reference.calls(), 2);
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
      Faulty([](std::span<float> log_probabilities) { log_probabilities[0] -= 1000; });
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

TEST(SelectEnginesTest, TriesNoOtherOnceItIsStopped) {
  FakeEngines first;
  FakeEngines second;
  FakeEngines reference;
  const auto selected =
      SelectEngines({Candidate("first", first.Factory()), Candidate("second", second.Factory())},
                    reference.Factory(), 4, [&first] { return first.calls() == 2; });
  EXPECT_EQ(selected.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(second.made(), 0);
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
