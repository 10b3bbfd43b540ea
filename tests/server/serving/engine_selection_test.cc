#include "server/serving/engine_selection.h"

#include <gtest/gtest.h>

#include <span>
#include <string>

#include "tests/testing/fake_engine.h"
#include "tests/testing/faulty_engine.h"

namespace hellocnn::server {
namespace {

using testing::FakeEngines;
using testing::Faulty;

EngineCandidate Candidate(const std::string& name, const EngineFactory& factory) {
  return {name, [factory] { return factory; }};
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
