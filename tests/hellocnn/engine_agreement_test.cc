#include "hellocnn/engine_agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <span>
#include <string>
#include <vector>

#include "tests/testing/fake_engine.h"
#include "tests/testing/faulty_engine.h"

namespace hellocnn {
namespace {

using testing::FakeEngines;
using testing::Faulty;
using ::testing::HasSubstr;
using testing::kFakeClasses;

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

}  // namespace
}  // namespace hellocnn
