#include "base/new_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/file.h"
#include "tests/testing/files.h"

namespace hellocnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class NewFolderTest : public ::testing::Test {
 protected:
  // The names in a folder below the temporary one.
  std::vector<std::string> Names(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(Path(name))) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

  const TemporaryDirectory folder_;
};

TEST_F(NewFolderTest, AppearsOnlyWhenItIsPublished) {
  absl::StatusOr<NewFolder> made = NewFolder::Make(Path("models/mnist/1/"));
  ASSERT_TRUE(made.ok()) << made.status();
  NewFolder folder = *std::move(made);
  ASSERT_TRUE(ReplaceFile(folder.path() + "/card", "content").ok());
  EXPECT_THAT(Names("models/mnist"), ElementsAre(HasSubstr(".1.")));
  ASSERT_TRUE(folder.Publish().ok());
  EXPECT_THAT(Names("models/mnist"), ElementsAre("1"));
  EXPECT_EQ(*ReadFileStart(Path("models/mnist/1/card"), 100), "content");
}

TEST_F(NewFolderTest, LeavesNothingIfItIsNotPublished) {
  {
    const absl::StatusOr<NewFolder> folder = NewFolder::Make(Path("models/1"));
    ASSERT_TRUE(folder.ok()) << folder.status();
    ASSERT_TRUE(ReplaceFile(folder->path() + "/card", "content").ok());
  }
  EXPECT_THAT(Names("models"), IsEmpty());
}

TEST_F(NewFolderTest, WhatIsThereStays) {
  std::filesystem::create_directories(Path("models/1"));
  const absl::Status status = NewFolder::Make(Path("models/1")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()), HasSubstr("models/1: is there already"));

  absl::StatusOr<NewFolder> late = NewFolder::Make(Path("models/2"));
  ASSERT_TRUE(late.ok()) << late.status();
  std::filesystem::create_directories(Path("models/2"));
  ASSERT_TRUE(ReplaceFile(Path("models/2/card"), "older").ok());
  EXPECT_EQ(late->Publish().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(*ReadFileStart(Path("models/2/card"), 100), "older");
}

TEST_F(NewFolderTest, AFileInTheWayIsNamed) {
  ASSERT_TRUE(ReplaceFile(Path("models"), "a file").ok());
  const absl::Status status = NewFolder::Make(Path("models/mnist/1")).status();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("/models: cannot be made a folder"));
}

}  // namespace
}  // namespace hellocnn
