#include "datasets/class_folders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/testing/files.h"

namespace hellocnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ClassFoldersTest : public ::testing::Test {
 protected:
  // Writes empty files, and the folders that they are in.
  void Touch(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const std::filesystem::path path = std::filesystem::path(root_.path()) / name;
      std::filesystem::create_directories(path.parent_path());
      WriteFile(path.string(), "");
    }
  }

  absl::StatusOr<std::optional<ClassFolders>> Find(DataPart part, bool take_undivided = true) {
    return FindClassFolders(root_.path(), part, take_undivided);
  }

  std::string Error(DataPart part = DataPart::kTest, bool take_undivided = true) {
    const auto found = Find(part, take_undivided);
    EXPECT_FALSE(found.ok());
    return std::string(found.status().message());
  }

  TemporaryDirectory root_;
};

std::vector<std::string> NamesOf(const ClassFolders& folders) {
  std::vector<std::string> names;
  for (const ClassFolder& folder : folders.classes) names.push_back(folder.name);
  return names;
}

TEST_F(ClassFoldersTest, ClassesComeInTheOrderInWhichPeopleCount) {
  Touch({"10/a.png", "9/b.JPG", "9/a.png", "cat/x.heic"});
  const auto found = Find(DataPart::kTest);
  ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
  EXPECT_THAT(NamesOf(**found), ElementsAre("9", "10", "cat"));
  EXPECT_THAT((*found)->classes[0].pictures,
              ElementsAre(root_.path() + "/9/a.png", root_.path() + "/9/b.JPG"));
  EXPECT_THAT((*found)->notes, IsEmpty());
}

TEST_F(ClassFoldersTest, EachPartIsInItsFolder) {
  Touch({"Train/a/1.png", "Train/b/1.png", "test/a/2.png", "val/a/3.png"});
  const auto training = Find(DataPart::kTraining, false);
  ASSERT_TRUE(training.ok() && training->has_value()) << training.status();
  EXPECT_THAT(NamesOf(**training), ElementsAre("a", "b"));
  EXPECT_THAT((*training)->notes, ElementsAre(HasSubstr("/val, because only folders of parts")));
  const auto test = Find(DataPart::kTest, false);
  ASSERT_TRUE(test.ok() && test->has_value()) << test.status();
  EXPECT_THAT(NamesOf(**test), ElementsAre("a"));
  std::filesystem::remove_all(root_.path() + "/test");
  EXPECT_THAT(Error(), HasSubstr("has no folder of a test set; found Train, with folders in it"));
  Touch({"training/a/1.png"});
  EXPECT_THAT(Error(DataPart::kTraining), HasSubstr("may be the folder of a training set"));
}

TEST_F(ClassFoldersTest, AClassMayBeNamedAsAPart) {
  Touch({"bus/1.png", "train/1.png"});
  const auto found = Find(DataPart::kTest);
  ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
  EXPECT_THAT(NamesOf(**found), ElementsAre("bus", "train"));
  EXPECT_THAT(Error(DataPart::kTest, false), HasSubstr("are not divided into parts"));
}

TEST_F(ClassFoldersTest, WhatHasNoPicturesInFoldersIsOfAnotherKind) {
  EXPECT_FALSE((*FindClassFolders("/nowhere", DataPart::kTest, true)).has_value());
  EXPECT_FALSE((*Find(DataPart::kTest)).has_value());
  Touch({"x.png", "raw/t10k-images-idx3-ubyte", ".git/a.png"});
  EXPECT_FALSE((*Find(DataPart::kTest)).has_value());
}

TEST_F(ClassFoldersTest, OtherFilesAreLeftOutWithANote) {
  Touch({"a/1.png", "a/.hidden.png", "a/Thumbs.db", "b/1.png", "b/notes.txt", "stray.png"});
  const auto found = Find(DataPart::kTest);
  ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
  EXPECT_THAT((*found)->classes[0].pictures, ElementsAre(root_.path() + "/a/1.png"));
  EXPECT_THAT(
      (*found)->notes,
      ElementsAre(HasSubstr("/stray.png, because pictures must be in the folder of a class"),
                  HasSubstr("/a/Thumbs.db and 1 more, because the name is not that of a "
                            "picture")));
}

TEST_F(ClassFoldersTest, EmptyAndNestedFoldersAreNamed) {
  Touch({"a/1.png", "b/readme"});
  EXPECT_THAT(Error(), HasSubstr("/b: has no picture; wanted one or more"));
  Touch({"b/1.png", "b/deeper/2.png"});
  EXPECT_THAT(Error(), HasSubstr("/b/deeper: is a folder in the folder of a class"));
}

TEST_F(ClassFoldersTest, PicturesComeByTurns) {
  const ClassFolders folders{{{"a", {"a1", "a2", "a3"}}, {"c", {"c1"}}}, {}};
  const auto all = PicturesByTurns("data", folders, {"a", "b", "c"}, 0);
  ASSERT_TRUE(all.ok()) << all.status();
  std::string order;
  for (const LabelledPicture& each : *all) order += each.path + std::to_string(each.label) + " ";
  EXPECT_EQ(order, "a10 c12 a20 a30 ");
  EXPECT_EQ(PicturesByTurns("data", folders, {"a", "b", "c"}, 2)->size(), 2U);
  EXPECT_EQ(PicturesByTurns("data", folders, {"a", "b"}, 0).status().message(),
            "data: has folders that are no class of the model: \"c\"; wanted folders named as its "
            "classes: \"a\", \"b\"");
}

}  // namespace
}  // namespace hellocnn
