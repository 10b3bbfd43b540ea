#include "server/serving/model_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/server/serving/model_manager_fixture.h"

namespace hellocnn::server {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(ModelManagerTest, HighestVersionThatCanBeServedIsServed) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  folders_.AddBroken("mnist/3");
  ASSERT_TRUE(Start("mnist").ok());
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving", HasSubstr("mnist/3 failed: ")));
  EXPECT_EQ(Current(), "2");
  EXPECT_EQ(told_.versions(), std::make_pair(1, 1));
}

TEST_F(ModelManagerTest, StartFailsIfNothingCanBeServed) {
  folders_.AddBroken("mnist/3");
  const absl::Status status = Start("mnist");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("mnist/3/weights.pt"));
}

TEST_F(ModelManagerTest, StartFailsIfNothingIsWanted) {
  folders_.Add("mnist/3");
  const absl::Status status = Start("mnist", "1,2");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("model-versions"));
}

TEST_F(ModelManagerTest, ErrorAfterVerificationEndsTheStart) {
  folders_.Add("mnist/1");
  manager_ = std::make_unique<ModelManager>(ModelManager::Options{.path = folders_.Path("mnist")},
                                            &loader_, &registry_, dispatcher_.get(), &told_,
                                            Clock::Monotonic());
  const absl::Status status = manager_->Start([] { return absl::UnavailableError("no port"); });
  EXPECT_EQ(status.message(), "no port");
  EXPECT_FALSE(registry_.Default().ok());
}

TEST_F(ModelManagerTest, NewVersionTakesOverAndTheOldOneIsFreed) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist").ok());
  folders_.Add("mnist/2");
  Look();
  EXPECT_THAT(List(), ElementsAre("mnist/1 draining", "mnist/2 serving"));
  EXPECT_EQ(Current(), "2");
  Look();
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
  EXPECT_THAT(told_.unloaded(), ElementsAre("mnist/1"));
}

TEST_F(ModelManagerTest, OldVersionLivesUntilItsLastRequestHasEnded) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist").ok());
  ServableHandle request = registry_.Default().value();
  folders_.Add("mnist/2");
  Look(3);
  EXPECT_THAT(List(), ElementsAre("mnist/1 draining", "mnist/2 serving"));
  EXPECT_THAT(told_.unloaded(), ElementsAre());
  request.reset();
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
}

TEST_F(ModelManagerTest, VersionThatFailsLeavesTheOldOneAndIsTriedAgainWhenItChanges) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist").ok());
  folders_.AddBroken("mnist/2");
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", HasSubstr("mnist/2 failed: ")));
  EXPECT_EQ(Current(), "1");
  folders_.Remove("mnist/2");
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving"));
  EXPECT_EQ(told_.versions(), std::make_pair(1, 0));
  folders_.Add("mnist/2");
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
}

TEST_F(ModelManagerTest, WeightsThatTheCardWasNotWrittenForAreNotTakenOver) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist").ok());
  folders_.Add("mnist/.2");
  std::string card = folders_.Read("mnist/.2/model_card.json");
  const std::size_t at = card.find("\"weights_sha256\"");
  ASSERT_NE(at, std::string::npos);
  const std::size_t digit = card.find(": \"", at) + 3;
  card[digit] = card[digit] == '0' ? '1' : '0';
  folders_.Write("mnist/.2/model_card.json", card);
  std::filesystem::rename(folders_.Path("mnist/.2"), folders_.Path("mnist/2"));
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", HasSubstr("mnist/2 failed: ")));
}

TEST_F(ModelManagerTest, RemovedVersionGivesWayToTheOneBefore) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  ASSERT_TRUE(Start("mnist").ok());
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
  folders_.Remove("mnist/2");
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving"));
  EXPECT_EQ(Current(), "1");
}

TEST_F(ModelManagerTest, LastVersionServesOnWhateverHappensToItsFolder) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist").ok());
  folders_.Remove("mnist/1");
  Look(2);
  EXPECT_THAT(List(), ElementsAre(HasSubstr("mnist/1 serving: it is not in the folder any more")));
  EXPECT_EQ(Current(), "1");
  folders_.Remove("mnist");
  Look();
  EXPECT_THAT(
      List(),
      ElementsAre(HasSubstr("mnist/1 serving: it stays served, but its folder cannot be read")));
  folders_.Add("mnist/2");
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
}

TEST_F(ModelManagerTest, VersionWhoseFilesChangeServesOnAsItWasLoaded) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist").ok());
  const std::string card = folders_.Read("mnist/1/model_card.json");
  folders_.Write("mnist/1/model_card.json", card);  // a new time, but the same content
  folders_.Add("mnist/0");
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving"));
  folders_.Write("mnist/1/model_card.json", card + " ");
  Look(2);
  EXPECT_THAT(List(), ElementsAre(HasSubstr("mnist/1 serving: its files have changed")));
  EXPECT_EQ(told_.versions(), std::make_pair(1, 1));
  folders_.Write("mnist/1/model_card.json", card);
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving"));
}

TEST_F(ModelManagerTest, OnlyVersionOfAFolderIsFollowedByItsCard) {
  folders_.Add("here");
  ASSERT_TRUE(Start("here").ok());
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving"));
  std::string card = folders_.Read("here/model_card.json");
  const std::size_t at = card.find("\"version\": \"1\"");
  ASSERT_NE(at, std::string::npos);
  card.replace(at, 14, "\"version\": \"next\"");
  folders_.Write("here/model_card.json", card);
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/next serving"));
}

TEST_F(ModelManagerTest, WeightsWithoutACardAreServedAndTheirAccuracyIsNotClaimed) {
  folders_.Add("mnist/1");
  std::filesystem::rename(folders_.Path("mnist/1/weights.pt"), folders_.Path("notebook.pt"));
  ASSERT_TRUE(Start("notebook.pt").ok());
  EXPECT_THAT(List(), ElementsAre("notebook/1 serving"));
  const ModelCard& card = registry_.Default().value()->card();
  EXPECT_EQ(card.test_accuracy, std::nullopt);
  EXPECT_EQ(card.class_labels.size(), 10U);
  EXPECT_EQ(card.weights_sha256.size(), 64U);
  EXPECT_FALSE(card.of_other_weights);
  folders_.Write("notebook.pt", "something else");
  Look(2);
  EXPECT_THAT(List(), ElementsAre(HasSubstr("notebook/1 serving: its files have changed")));
}

TEST_F(ModelManagerTest, PolicySaysHowManyVersionsAreServed) {
  for (const char* version : {"1", "2", "3"}) folders_.Add(std::string("mnist/") + version);
  ASSERT_TRUE(Start("mnist", "latest:2").ok());
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving", "mnist/3 serving"));
  folders_.Add("mnist/4");
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/3 serving", "mnist/4 serving"));
}

TEST_F(ModelManagerTest, PolicyMaySayWhichVersionsAreServed) {
  for (const char* version : {"1", "2", "3"}) folders_.Add(std::string("mnist/") + version);
  ASSERT_TRUE(Start("mnist", "1,3").ok());
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", "mnist/3 serving"));
}

TEST_F(ModelManagerTest, NameThatTheCardOfAVersionChangesIsTheDefault) {
  folders_.Add("here");
  ASSERT_TRUE(Start("here").ok());
  std::string card = folders_.Read("here/model_card.json");
  const std::size_t at = card.find("\"name\": \"mnist\"");
  ASSERT_NE(at, std::string::npos);
  card.replace(at, 15, "\"name\": \"digits\"");
  folders_.Write("here/model_card.json", card);
  Look(2);
  EXPECT_THAT(List(), ElementsAre("digits/1 serving"));
  EXPECT_EQ(registry_.Default().value()->name(), "digits");
}

TEST_F(ModelManagerTest, FolderThatIsMissingOnceIsNotGone) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  ASSERT_TRUE(Start("mnist").ok());
  const auto away = [this] {
    std::filesystem::rename(folders_.Path("mnist/2"), folders_.Path("mnist/.2"));
  };
  away();
  Look(1, /*asked=*/false);
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
  std::filesystem::rename(folders_.Path("mnist/.2"), folders_.Path("mnist/2"));
  Look(1, /*asked=*/false);
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
  away();
  Look(4, /*asked=*/false);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving"));
}

TEST_F(ModelManagerTest, LowerVersionDoesNotStandInForOneThatIsStillCopied) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  ASSERT_TRUE(Start("mnist").ok());
  Look(1, /*asked=*/false);
  folders_.Remove("mnist/2");
  folders_.Add("mnist/3");
  Look(1, /*asked=*/false);
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
  folders_.Write("mnist/3/more", "still being copied");
  Look(1, /*asked=*/false);
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
  Look(2, /*asked=*/false);
  EXPECT_THAT(List(), ElementsAre("mnist/3 serving"));
}

TEST_F(ModelManagerTest, FailureOfAVersionThatIsWantedNoMoreIsForgotten) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist").ok());
  folders_.AddBroken("mnist/2");
  Look();
  EXPECT_EQ(told_.versions(), std::make_pair(1, 1));
  folders_.Add("mnist/3");
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/3 serving"));
  EXPECT_EQ(told_.versions(), std::make_pair(1, 0));
}

TEST_F(ModelManagerTest, ComplaintOfAFolderThatIsGoneEndsWhenItIsBack) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist").ok());
  std::filesystem::rename(folders_.Path("mnist/1"), folders_.Path("mnist/.1"));
  Look();
  EXPECT_THAT(List(), ElementsAre(HasSubstr("it is not in the folder any more")));
  std::filesystem::rename(folders_.Path("mnist/.1"), folders_.Path("mnist/1"));
  Look();
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving"));
  EXPECT_EQ(told_.versions(), std::make_pair(1, 0));
}

TEST_F(ModelManagerTest, ModelThatCannotBeReadServesOnAndTheOthersAreFollowed) {
  folders_.Add("a/1");
  folders_.Add("b/1");
  ASSERT_TRUE(Start("").ok());
  std::filesystem::rename(folders_.Path("a"), folders_.Path(".a"));
  std::filesystem::create_symlink("a", folders_.Path("a"));  // a loop
  folders_.Add("b/2");
  Look(2);
  EXPECT_THAT(List(),
              ElementsAre(HasSubstr("a/1 serving: it stays served, but its folder cannot be read"),
                          "b/2 serving"));
  std::filesystem::remove(folders_.Path("a"));
  std::filesystem::rename(folders_.Path(".a"), folders_.Path("a"));
  Look();
  EXPECT_THAT(List(), ElementsAre("a/1 serving", "b/2 serving"));
}

TEST_F(ModelManagerTest, VersionThatCannotBeReadHidesNoOther) {
  for (const char* version : {"1", "2"}) folders_.Add(std::string("mnist/") + version);
  std::filesystem::create_symlink("3", folders_.Path("mnist/3"));  // a loop
  ASSERT_TRUE(Start("mnist").ok());
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving", HasSubstr("mnist/3 failed: ")));
  std::filesystem::remove(folders_.Path("mnist/3"));
  folders_.Add("mnist/3");
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/3 serving"));
  std::filesystem::rename(folders_.Path("mnist/3"), folders_.Path("mnist/.3"));
  std::filesystem::create_symlink("3", folders_.Path("mnist/3"));
  Look(2);
  EXPECT_THAT(List(), ElementsAre(HasSubstr("mnist/3 serving: it stays served, but its folder")));
}

TEST_F(ModelManagerTest, ComplaintOfChangedFilesOutlivesAFolderThatIsGoneForAWhile) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist").ok());
  folders_.Write("mnist/1/model_card.json", folders_.Read("mnist/1/model_card.json") + " ");
  Look();
  EXPECT_THAT(List(), ElementsAre(HasSubstr("mnist/1 serving: its files have changed")));
  std::filesystem::rename(folders_.Path("mnist/1"), folders_.Path("mnist/.1"));
  Look();
  EXPECT_THAT(List(), ElementsAre(HasSubstr("not in the folder any more")));
  std::filesystem::rename(folders_.Path("mnist/.1"), folders_.Path("mnist/1"));
  Look();
  EXPECT_THAT(List(), ElementsAre(HasSubstr("mnist/1 serving: its files have changed")));
}

TEST_F(ModelManagerTest, VersionThatIsBackBeforeItHasDrainedServesAgain) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  ASSERT_TRUE(Start("mnist").ok());
  const ServableHandle request = registry_.Default().value();
  std::filesystem::rename(folders_.Path("mnist/2"), folders_.Path("mnist/.2"));
  Look();
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", "mnist/2 draining"));
  std::filesystem::rename(folders_.Path("mnist/.2"), folders_.Path("mnist/2"));
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
  EXPECT_EQ(registry_.Default().value(), request);
}

TEST_F(ModelManagerTest, DefaultFollowsALinkThatIsSwappedThereAndBack) {
  for (const char* name : {"a", "b"}) folders_.Add(name);
  std::string card = folders_.Read("b/model_card.json");
  card.replace(card.find("\"name\": \"mnist\""), 15, "\"name\": \"digits\"");
  folders_.Write("b/model_card.json", card);
  const auto link_to = [this](const char* name) {
    std::filesystem::remove(folders_.Path("here"));
    std::filesystem::create_directory_symlink(name, folders_.Path("here"));
  };
  link_to("a");
  ASSERT_TRUE(Start("here").ok());
  const ServableHandle request = registry_.Default().value();
  link_to("b");
  Look();
  EXPECT_EQ(registry_.Default().value()->name(), "digits");
  link_to("a");
  Look(2);
  EXPECT_EQ(registry_.Default().value(), request);
}

TEST_F(ModelManagerTest, VersionThatCouldNotBeReadIsTriedWhenItCan) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist").ok());
  folders_.AddBroken("mnist/2");
  Look();
  const auto hide = [this](const char* from, const char* to) {
    std::filesystem::rename(folders_.Path(from), folders_.Path(to));
  };
  hide("mnist/2", "mnist/.2");
  std::filesystem::create_symlink("2", folders_.Path("mnist/2"));  // a loop
  Look();
  EXPECT_THAT(List(), Contains(HasSubstr("mnist/2 failed: cannot look at")));
  std::filesystem::remove(folders_.Path("mnist/2"));
  hide("mnist/.2", "mnist/2");
  Look();
  EXPECT_THAT(List(), Contains(HasSubstr("weights.pt")));
}

TEST_F(ModelManagerTest, VersionThatIsBackMayBeMissingOnceAgain) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  ASSERT_TRUE(Start("mnist").ok());
  const ServableHandle request = registry_.Default().value();
  const auto away = [this] {
    std::filesystem::rename(folders_.Path("mnist/2"), folders_.Path("mnist/.2"));
  };
  const auto back = [this] {
    std::filesystem::rename(folders_.Path("mnist/.2"), folders_.Path("mnist/2"));
  };
  away();
  Look(4, /*asked=*/false);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", "mnist/2 draining"));
  back();
  Look(3, /*asked=*/false);
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
  away();
  Look(1, /*asked=*/false);
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
}

TEST_F(ModelManagerTest, OtherVersionsAreLoadedBesideOneThatDoesNotSettle) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist", "all").ok());
  folders_.Add("mnist/2");
  for (int i = 0; i < 3; ++i) {
    folders_.Add("mnist/3");
    Look(1, /*asked=*/false);
    folders_.Remove("mnist/3");
  }
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", "mnist/2 serving"));
}

TEST_F(ModelManagerTest, CardThatCannotBeReadChangesNothing) {
  folders_.Add("here");
  ASSERT_TRUE(Start("here").ok());
  const std::string card = folders_.Read("here/model_card.json");
  folders_.Write("here/model_card.json", card.substr(0, 100));
  Look(2);
  EXPECT_THAT(
      List(),
      ElementsAre(HasSubstr("mnist/1 serving: it stays served, but its folder cannot be read")));
  folders_.Write("here/model_card.json", card);
  Look();
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving"));
}

TEST_F(ModelManagerTest, OnlyVersionOfAFolderMustFitItsCardAfterTheStart) {
  folders_.Add("here");
  std::string card = folders_.Read("here/model_card.json");
  const std::size_t digit = card.find(": \"", card.find("\"weights_sha256\"")) + 3;
  card[digit] = card[digit] == '0' ? '1' : '0';
  folders_.Write("here/model_card.json", card);
  ASSERT_TRUE(Start("here").ok());
  card.replace(card.find("\"version\": \"1\""), 14, "\"version\": \"2\"");
  folders_.Write("here/model_card.json", card);
  Look(2);
  EXPECT_THAT(List(), Contains(HasSubstr("mnist/2 failed: ")));
  EXPECT_EQ(Current(), "1");
}

TEST_F(ModelManagerTest, ThreadLooksWhenItIsAsked) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist").ok());
  ASSERT_TRUE(manager_->Watch().ok());
  folders_.Add("mnist/2");
  manager_->Rescan();
  // The time only ends a test that fails.
  const Instant end = Clock::Monotonic()->Now() + absl::Seconds(60);
  while (List().size() != 1 || Current() != "2") {
    ASSERT_LT(Clock::Monotonic()->Now(), end);
    absl::SleepFor(absl::Milliseconds(1));
  }
}

TEST_F(ModelManagerTest, ModelsComeAndGoIndependently) {
  folders_.Add("a/1");
  folders_.Add("b/1");
  ASSERT_TRUE(Start("").ok());
  EXPECT_THAT(List(), ElementsAre("a/1 serving", "b/1 serving"));
  EXPECT_EQ(registry_.Default().value()->name(), "a");
  folders_.Add("b/2");
  folders_.Add("c/1");
  Look(2);
  EXPECT_THAT(List(), ElementsAre("a/1 serving", "b/2 serving", "c/1 serving"));
  folders_.Remove("a");
  Look(2);
  EXPECT_THAT(List(), ElementsAre("b/2 serving", "c/1 serving"));
  EXPECT_THAT(Current("a"), HasSubstr("model a is not served"));
  EXPECT_THAT(Current(), HasSubstr("model a is not served"));  // and no other answers for it
}

TEST_F(ModelManagerTest, ModelWithoutAGoodVersionServesItsLastOneOn) {
  folders_.Add("a/1");
  folders_.Add("b/1");
  ASSERT_TRUE(Start("").ok());
  folders_.Remove("a/1");
  folders_.AddBroken("a/2");
  Look(2);
  EXPECT_THAT(List(), Contains(HasSubstr("a/2 failed")));
  Look(2);
  EXPECT_THAT(List(), Contains(HasSubstr("a/1 serving: it is not in the folder any more")));
  EXPECT_EQ(Current("a"), "1");
}

}  // namespace
}  // namespace hellocnn::server
