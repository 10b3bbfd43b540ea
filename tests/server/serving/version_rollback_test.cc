// Going back to the version before, with a manager of models.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "server/serving/version_table.h"
#include "tests/server/serving/model_manager_fixture.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class VersionRollbackTest : public ModelManagerTest {};

TEST_F(VersionRollbackTest, VersionThatIsReplacedStandsByForTheRollbackWindow) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist", "latest", absl::Hours(1)).ok());
  folders_.Add("mnist/2");
  Look(3);
  EXPECT_THAT(List(), ElementsAre("mnist/1 standby", "mnist/2 serving"));
  EXPECT_THAT(told_.unloaded(), ElementsAre());
  EXPECT_FALSE(registry_.Find("mnist", "1").ok());
  // Only one version of a model stands by.
  folders_.Add("mnist/3");
  Look(3);
  EXPECT_THAT(List(), ElementsAre("mnist/2 standby", "mnist/3 serving"));
  EXPECT_THAT(told_.unloaded(), ElementsAre("mnist/1"));
  // The version that stands by takes over without being loaded again.
  folders_.Remove("mnist/3");
  Look();
  EXPECT_EQ(Current(), "2");
  Look();
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
  EXPECT_THAT(told_.unloaded(), ElementsAre("mnist/1", "mnist/3"));
}

TEST_F(VersionRollbackTest, RollbackWindowEnds) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist", "latest", absl::Nanoseconds(1)).ok());
  folders_.Add("mnist/2");
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/2 serving"));
  const absl::Status status = manager_->RollBack("").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--rollback-window"));
  EXPECT_EQ(Current(), "2");
}

TEST_F(VersionRollbackTest, RollbackServesTheVersionBeforeAtOnceAndForGood) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist", "latest", absl::Hours(1)).ok());
  folders_.Add("mnist/2");
  Look();
  const absl::StatusOr<RolledBack> done = manager_->RollBack("mnist");
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->model + " " + done->from + " " + done->to, "mnist 2 1");
  EXPECT_EQ(Current(), "1");
  EXPECT_EQ(told_.versions(), std::make_pair(1, 0));
  Look(3);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", HasSubstr("mnist/2 rolled back: it was")));
  EXPECT_EQ(Current(), "1");
  // There is nothing before version 1.
  EXPECT_EQ(manager_->RollBack("").status().code(), absl::StatusCode::kFailedPrecondition);
  // Files that look new but are the same do not bring it back.
  folders_.Write("mnist/2/model_card.json", folders_.Read("mnist/2/model_card.json"));
  Look(3);
  EXPECT_EQ(Current(), "1");
  // The next version does not care.
  folders_.Add("mnist/3");
  Look(2);
  EXPECT_EQ(Current(), "3");
}

TEST_F(VersionRollbackTest, RollbackCanBeUndone) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist", "latest", absl::Hours(1)).ok());
  EXPECT_EQ(manager_->UndoRollback("").status().code(), absl::StatusCode::kFailedPrecondition);
  folders_.Add("mnist/2");
  Look();
  ASSERT_TRUE(manager_->RollBack("").ok());
  const absl::StatusOr<RolledBack> undone = manager_->UndoRollback("");
  ASSERT_TRUE(undone.ok()) << undone.status();
  EXPECT_EQ(undone->from + " " + undone->to, "1 2");
  EXPECT_EQ(Current(), "2");
  Look(3);
  EXPECT_THAT(List(), ElementsAre("mnist/1 standby", "mnist/2 serving"));
}

TEST_F(VersionRollbackTest, RolledBackVersionIsFreedAndCanStillBeUndone) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  ASSERT_TRUE(Start("mnist", "all").ok());
  ASSERT_TRUE(manager_->RollBack("").ok());
  Look(3);
  EXPECT_THAT(told_.unloaded(), ElementsAre("mnist/2"));
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", HasSubstr("mnist/2 rolled back")));
  ASSERT_TRUE(manager_->UndoRollback("mnist").ok());
  Look(2);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", "mnist/2 serving"));
}

TEST_F(VersionRollbackTest, NewContentOfARolledBackVersionIsServed) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  ASSERT_TRUE(Start("mnist", "all").ok());
  ASSERT_TRUE(manager_->RollBack("").ok());
  folders_.Write("mnist/2/model_card.json", folders_.Read("mnist/2/model_card.json") + " ");
  Look(4);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", "mnist/2 serving"));
}

TEST_F(VersionRollbackTest, RolledBackVersionWithoutAFolderIsForgotten) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  ASSERT_TRUE(Start("mnist", "all", absl::Hours(1)).ok());
  ASSERT_TRUE(manager_->RollBack("").ok());
  folders_.Remove("mnist/2");
  Look(1, /*asked=*/false);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", HasSubstr("mnist/2 rolled back")));
  Look(3, /*asked=*/false);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving"));
}

TEST_F(VersionRollbackTest, UndoTakesWhatWasRolledBackLast) {
  folders_.Add("mnist/1");
  ASSERT_TRUE(Start("mnist", "latest", absl::Hours(1)).ok());
  folders_.Add("mnist/2");
  Look();
  ASSERT_TRUE(manager_->RollBack("").ok());
  folders_.Add("mnist/4");
  Look(2);
  // Version 2 is below the one that serves now.
  const absl::Status status = manager_->UndoRollback("").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("the higher version 4 serves"));
  const absl::StatusOr<RolledBack> done = manager_->RollBack("");
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->to, "1");
  const absl::StatusOr<RolledBack> undone = manager_->UndoRollback("");
  ASSERT_TRUE(undone.ok()) << undone.status();
  EXPECT_EQ(undone->to, "4");
  EXPECT_EQ(Current(), "4");
}

TEST_F(VersionRollbackTest, WritingTheSameFilesAgainDoesNotEndARollback) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  ASSERT_TRUE(Start("mnist", "all").ok());
  ASSERT_TRUE(manager_->RollBack("").ok());
  const std::string card = folders_.Read("mnist/2/model_card.json");
  Look(2, /*asked=*/false);
  folders_.Write("mnist/2/model_card.json", card.substr(0, 100));
  Look(1, /*asked=*/false);
  folders_.Write("mnist/2/model_card.json", card);
  Look(4, /*asked=*/false);
  EXPECT_THAT(List(), ElementsAre("mnist/1 serving", HasSubstr("mnist/2 rolled back")));
}

TEST_F(VersionRollbackTest, ThreadFreesWhatIsRolledBackWithoutLooking) {
  folders_.Add("mnist/1");
  folders_.Add("mnist/2");
  ASSERT_TRUE(Start("mnist", "all", absl::Milliseconds(1)).ok());
  ASSERT_TRUE(manager_->Watch().ok());
  ASSERT_TRUE(manager_->RollBack("").ok());
  while (told_.unloaded().empty()) absl::SleepFor(absl::Milliseconds(1));
  EXPECT_THAT(told_.unloaded(), ElementsAre("mnist/2"));
  EXPECT_EQ(told_.versions(), std::make_pair(1, 0));
}

}  // namespace
}  // namespace hellocnn::server
