#include "hellocnn/repository/rollout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hellocnn/repository/model_repository.h"
#include "tests/testing/model_folders.h"

namespace hellocnn {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class RolloutTest : public ::testing::Test {
 protected:
  RolloutTest() { folders_.Add("mnist/1"); }
  absl::StatusOr<std::optional<Rollout>> Load(const std::string& text) {
    folders_.Write("mnist/rollout.json", text);
    return LoadRollout(folders_.Path("mnist"));
  }

  const testing::ModelFolders folders_;
};

TEST_F(RolloutTest, WhatIsSavedIsLoadedUntilItIsRemoved) {
  const std::string folder = folders_.Path("mnist");
  EXPECT_EQ(LoadRollout(folder).value(), std::nullopt);
  for (const Rollout& rollout :
       {Rollout{"3", Rollout::Mode::kShadow, 0.1}, Rollout{"12", Rollout::Mode::kCanary, 1}}) {
    ASSERT_TRUE(SaveRollout(folder, rollout).ok());
    EXPECT_EQ(LoadRollout(folder).value(), rollout);
  }
  ASSERT_TRUE(SaveRollout(folder, std::nullopt).ok());
  EXPECT_EQ(LoadRollout(folder).value(), std::nullopt);
  EXPECT_TRUE(SaveRollout(folder, std::nullopt).ok());
  EXPECT_FALSE(SaveRollout(folders_.Path("absent"), Rollout{"3", Rollout::Mode::kShadow, 1}).ok());
}

TEST_F(RolloutTest, WhatIsWrongIsNamedWithWhatIsWanted) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "wanted JSON that begins with {"},
      {"[]", "wanted JSON that begins with {"},
      {"{", "is not JSON"},
      {"{}", "has no member \"candidate\""},
      {R"({"candidate": "3", "mode": "shadow"})", "has no member \"share\""},
      {R"({"candidate": 3, "mode": "shadow", "share": 1})", "candidate: 3; wanted the name"},
      {R"({"candidate": "x", "mode": "shadow", "share": 1})", "candidate: \"x\"; wanted the name"},
      {R"({"candidate": "../3", "mode": "shadow", "share": 1})", "candidate: \"../3\"; wanted"},
      {R"({"candidate": "3", "mode": "mirror", "share": 1})", "wanted \"shadow\" or \"canary\""},
      {R"({"candidate": "3", "mode": 1, "share": 1})", "mode: 1; wanted"},
      {R"({"candidate": "3", "mode": "shadow", "share": 0})", "share: 0; wanted a number above 0"},
      {R"({"candidate": "3", "mode": "shadow", "share": 1.01})", "share: 1.01; wanted a number"},
      {R"({"candidate": "3", "mode": "shadow", "share": -1})", "share: -1; wanted a number"},
      {R"({"candidate": "3", "mode": "shadow", "share": "10%"})",
       "share: \"10%\"; wanted a number"},
      {R"({"candidate": "3", "mode": "shadow", "share": 1, "x": 2})", "wanted only candidate"},
      {R"({"candidate": "3", "candidate": "4", "mode": "shadow", "share": 1})", "candidate"},
      {R"({"candidate": [[[[3]]]], "mode": "shadow", "share": 1})", "deep"},
      {std::string(5000, ' '), "rollout.json"},
      {R"({"candidate": "3", "mode": "shadow", "share": 1})" + std::string(5000, ' '),
       "larger than 4096 bytes"}};
  for (const auto& [text, wanted] : cases) {
    const absl::Status status = Load(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("rollout.json"), HasSubstr(wanted)));
  }
  folders_.Remove("mnist/rollout.json");
  std::filesystem::create_directories(folders_.Path("mnist/rollout.json"));
  EXPECT_FALSE(LoadRollout(folders_.Path("mnist")).ok());
}

TEST_F(RolloutTest, RepositoryFindsItAndReadsNothingOfAModelWhoseFileIsWrong) {
  folders_.Add("letters/1");
  const ModelRepository repository = ModelRepository::Open(folders_.Path()).value();
  EXPECT_TRUE(repository.Scan()->rollouts.empty());
  folders_.Write("mnist/rollout.json", R"({"candidate": "3", "mode": "canary", "share": 0.5})");
  const FoundModels found = repository.Scan().value();
  EXPECT_EQ(found.rollouts.at("mnist"), (Rollout{"3", Rollout::Mode::kCanary, 0.5}));
  EXPECT_EQ(found.versions.size(), 2);
  folders_.Write("mnist/rollout.json", "{");
  const FoundModels wrong = repository.Scan().value();
  EXPECT_THAT(std::string(wrong.unreadable.at("mnist").message()), HasSubstr("rollout.json"));
  EXPECT_EQ(wrong.versions.size(), 1);
  // A folder without versions is no model, whatever else is in it.
  std::filesystem::create_directories(folders_.Path("notes"));
  folders_.Write("notes/rollout.json", "{");
  EXPECT_FALSE(repository.Scan()->unreadable.contains("notes"));
}

}  // namespace
}  // namespace hellocnn
