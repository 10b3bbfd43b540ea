// A candidate for the place of the current version, with a manager of models.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "tests/server/serving/model_manager_fixture.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RolloutTest : public ModelManagerTest {
 protected:
  void SetRollout(const std::string& candidate, Rollout::Mode mode, double share) {
    ASSERT_TRUE(SaveRollout(folders_.Path("mnist"), Rollout{candidate, mode, share}).ok());
  }
  void EndRollout() { ASSERT_TRUE(SaveRollout(folders_.Path("mnist"), std::nullopt).ok()); }

  // "responding compared" versions, and how many of `requests` had them.
  std::map<std::string, int> Routes(int requests, const std::string& version = "") {
    std::map<std::string, int> routes;
    for (int i = 0; i < requests; ++i) {
      const Route route = registry_.RouteRequest("mnist", version).value();
      ++routes[route.responds->version() + " " +
               (route.compared == nullptr ? "-" : route.compared->version())];
    }
    return routes;
  }
  using Counts = std::map<std::string, int>;

  // Expects that of 1,000 requests the share is the candidate's, as nearly as can be.
  void ExpectShare(const std::string& route, double share) {
    EXPECT_NEAR(Routes(1000)[route], 1000 * share, 1) << route;
  }
};

TEST_F(RolloutTest, CandidateNeverTakesOverByItself) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist").ok());
  SetRollout("2", Rollout::Mode::kShadow, 0.25);
  folders_.Add("mnist/2");
  Look(3);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", "mnist/2 serving"));
  EXPECT_EQ(Current(), "1");
  EXPECT_EQ(manager_->List()[0].rollout, std::nullopt);
  EXPECT_EQ(manager_->List()[1].rollout, (Rollout{"2", Rollout::Mode::kShadow, 0.25}));
  EXPECT_THAT(told_.candidates(), ElementsAre("mnist/2 shadow 0.250000"));
  ExpectShare("1 2", 0.25);
  ExpectShare("1 -", 0.75);
  // Who names a version gets it, and nothing is compared.
  EXPECT_EQ(Routes(10, "1"), (Counts{{"1 -", 10}}));
  EXPECT_EQ(Routes(10, "2"), (Counts{{"2 -", 10}}));

  SetRollout("2", Rollout::Mode::kCanary, 1);
  Look();
  EXPECT_EQ(Current(), "1");
  EXPECT_EQ(Routes(10), (Counts{{"2 1", 10}}));
  // The current version does not go, even if its folder does.
  folders_.Remove("mnist/1");
  Look(3);
  EXPECT_EQ(Current(), "1");
  EXPECT_THAT(List(), ElementsAre(HasSubstr("mnist/1 serving: it is not in the folder any more"),
                                  "mnist/2 serving"));

  EndRollout();
  Look();
  EXPECT_EQ(Current(), "2");
  EXPECT_EQ(Routes(10), (Counts{{"2 -", 10}}));
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
  EXPECT_THAT(told_.candidates(), ElementsAre("mnist/2 shadow 0.250000", "mnist/2 canary 1.000000",
                                              "mnist/2  0.000000"));
}

TEST_F(RolloutTest, CandidateIsOneAfterARestart) {
  for (const char* version : {"mnist/1", "mnist/2", "mnist/3"}) folders_.Add(version);
  SetRollout("3", Rollout::Mode::kCanary, 0.5);
  ASSERT_TRUE(Start("mnist").ok());
  EXPECT_EQ(Current(), "2");
  ExpectShare("3 2", 0.5);
  ExpectShare("2 -", 0.5);
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving", "mnist/3 serving"));
}

TEST_F(RolloutTest, CandidateIsServedBesideWhatThePolicyWants) {
  for (const char* version : {"mnist/1", "mnist/2", "mnist/3"}) folders_.Add(version);
  SetRollout("1", Rollout::Mode::kShadow, 1);
  ASSERT_TRUE(Start("mnist", "2,3").ok());
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", "mnist/2 serving", "mnist/3 serving"));
  EXPECT_EQ(Routes(2), (Counts{{"3 1", 2}}));
  EndRollout();
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving", "mnist/3 serving"));
}

TEST_F(RolloutTest, OnlyVersionIsCurrentAlthoughItIsNamedAsACandidate) {
  folders_.Add("mnist/1");
  SetRollout("1", Rollout::Mode::kCanary, 0.5);
  ASSERT_TRUE(Start("mnist").ok());
  EXPECT_EQ(Routes(10), (Counts{{"1 -", 10}}));
  EXPECT_THAT(told_.candidates(), IsEmpty());
  // A version that is added becomes the current one, beside the candidate.
  folders_.Add("mnist/2");
  Look(3);
  ExpectShare("1 2", 0.5);
  ExpectShare("2 -", 0.5);
}

TEST_F(RolloutTest, VersionThatServesAlreadyMayBecomeACandidateAgain) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  ASSERT_TRUE(Start("mnist").ok());
  EXPECT_EQ(Current(), "2");
  SetRollout("2", Rollout::Mode::kCanary, 0.1);
  Look();
  EXPECT_EQ(Current(), "1");
  ExpectShare("2 1", 0.1);
}

TEST_F(RolloutTest, CandidateThatCannotBeServedHurtsNobody) {
  folders_.Add("mnist/1");
  folders_.AddBroken("mnist/2");
  SetRollout("2", Rollout::Mode::kCanary, 1);
  ASSERT_TRUE(Start("mnist").ok());
  Look();
  EXPECT_EQ(Routes(10), (Counts{{"1 -", 10}}));
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", HasSubstr("mnist/2 failed: ")));
}

TEST_F(RolloutTest, WrongFileChangesNothing) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  SetRollout("2", Rollout::Mode::kCanary, 1);
  ASSERT_TRUE(Start("").ok());
  folders_.Write("mnist/rollout.json", "{\"share\": 2}");
  Look(3);
  EXPECT_EQ(Routes(10), (Counts{{"2 1", 10}}));
  EXPECT_THAT(List(), ElementsAre(HasSubstr("rollout.json has no member"),
                                  HasSubstr("rollout.json has no member")));
  SetRollout("2", Rollout::Mode::kShadow, 1);
  Look();
  EXPECT_EQ(Routes(10), (Counts{{"1 2", 10}}));
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", "mnist/2 serving"));
}

TEST_F(RolloutTest, RollbackWithdrawsTheCandidateAndUndoBringsItBack) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  SetRollout("2", Rollout::Mode::kCanary, 1);
  ASSERT_TRUE(Start("mnist", "latest", absl::Hours(1)).ok());
  const absl::StatusOr<RolledBack> done = manager_->RollBack("");
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->from + " " + done->to, "2 1");
  Look(3);
  EXPECT_EQ(Routes(10), (Counts{{"1 -", 10}}));
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", HasSubstr("mnist/2 rolled back: ")));
  // Who asks for the same again does not lose the current version.
  const absl::Status again = manager_->RollBack("").status();
  EXPECT_EQ(again.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(again.message()), HasSubstr("is rolled back already"));
  ASSERT_TRUE(manager_->UndoRollback("").ok());
  EXPECT_EQ(Routes(10), (Counts{{"2 1", 10}}));
}

// A current version is loaded that a rollback could go back to.
TEST_F(RolloutTest, SecondRollbackDoesNotTakeTheCurrentVersion) {
  for (const char* version : {"mnist/1", "mnist/2", "mnist/3"}) folders_.Add(version);
  SetRollout("3", Rollout::Mode::kCanary, 1);
  ASSERT_TRUE(Start("mnist", "latest:2", absl::Hours(1)).ok());
  ASSERT_TRUE(manager_->RollBack("").ok());
  EXPECT_FALSE(manager_->RollBack("").ok());
  EXPECT_EQ(Current(), "2");
  EndRollout();
  Look();
  EXPECT_EQ(Current(), "2");
  EXPECT_EQ(manager_->RollBack("")->to, "1");
}

// Polls, or looks that were asked for.
class EndOfRolloutTest : public RolloutTest, public ::testing::WithParamInterface<bool> {};

TEST_P(EndOfRolloutTest, CandidateThatIsGivenUpServesNobodyForAMoment) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  SetRollout("2", Rollout::Mode::kCanary, 1);
  ASSERT_TRUE(Start("mnist").ok());
  folders_.Remove("mnist/2");
  EndRollout();
  for (int i = 0; i < 5; ++i) {
    Look(1, GetParam());
    EXPECT_EQ(Current(), "1") << i;
  }
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving"));
}
INSTANTIATE_TEST_SUITE_P(Asked, EndOfRolloutTest, ::testing::Bool());

TEST_F(RolloutTest, FileThatIsMissingOnceEndsNothing) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  SetRollout("2", Rollout::Mode::kCanary, 1);
  ASSERT_TRUE(Start("mnist").ok());
  EndRollout();
  Look(1, /*asked=*/false);
  EXPECT_EQ(Current(), "1");
  SetRollout("2", Rollout::Mode::kCanary, 1);
  Look(1, /*asked=*/false);
  EndRollout();
  Look(1, /*asked=*/false);
  EXPECT_EQ(Current(), "1");
  Look(1, /*asked=*/false);
  EXPECT_EQ(Current(), "2");
}

TEST_F(RolloutTest, VolumeThatIsAwayPromotesNobody) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  SetRollout("2", Rollout::Mode::kCanary, 1);
  ASSERT_TRUE(Start("mnist").ok());
  for (const char* name : {"1", "2", "rollout.json"}) {
    std::filesystem::rename(folders_.Path("mnist/" + std::string(name)), folders_.Path(name));
  }
  for (int i = 0; i < 4; ++i) {
    Look(1, i > 1);
    EXPECT_EQ(Current(), "1") << i;
  }
}

TEST_F(RolloutTest, CandidateOfANewModelIsLoadedLast) {
  folders_.Add("letters/1");
  ASSERT_TRUE(Start("").ok());
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  SetRollout("2", Rollout::Mode::kCanary, 1);
  Look();
  EXPECT_EQ(told_.models().size(), 3);
  EXPECT_EQ(Routes(1), (Counts{{"2 1", 1}}));
  EXPECT_EQ(Current("mnist"), "1");
}

TEST_F(RolloutTest, ModelWhoseFileIsWrongAtTheStartIsListed) {
  folders_.Add("letters/1");
  folders_.Add("mnist/1");
  folders_.Write("mnist/rollout.json", "{}");
  ASSERT_TRUE(Start("").ok());
  EXPECT_THAT(List(), ElementsAre("letters/1 serving", HasSubstr("mnist/ failed: ")));
  EXPECT_EQ(told_.versions(), std::make_pair(1, 1));
  EndRollout();
  Look();
  EXPECT_THAT(List(), ElementsAre("letters/1 serving", "mnist/1 serving"));
  EXPECT_EQ(told_.versions(), std::make_pair(2, 0));
}

TEST_F(RolloutTest, NothingIsComparedIfTheClassesDiffer) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  std::string card = folders_.Read("mnist/2/model_card.json");
  const std::size_t label = card.find("\"7\"");
  ASSERT_NE(label, std::string::npos);
  folders_.Write("mnist/2/model_card.json", card.replace(label, 3, "\"seven\""));
  SetRollout("2", Rollout::Mode::kShadow, 1);
  ASSERT_TRUE(Start("mnist").ok());
  EXPECT_EQ(Routes(10), (Counts{{"1 -", 10}}));
  SetRollout("2", Rollout::Mode::kCanary, 0.5);
  Look();
  ExpectShare("1 -", 0.5);
  ExpectShare("2 -", 0.5);
}

TEST_F(RolloutTest, SharesAreExact) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  ASSERT_TRUE(Start("mnist").ok());
  for (const double share : {0.001, 0.1, 1.0 / 3, 0.999}) {
    SetRollout("2", Rollout::Mode::kCanary, share);
    Look();
    ExpectShare("2 1", share);
  }
}

}  // namespace
}  // namespace hellocnn::server
