#include "hellocnn/repository/model_repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/testing/model_folders.h"

namespace hellocnn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ModelRepositoryTest : public ::testing::Test {
 protected:
  // "model/version" of all that is found.
  std::vector<std::string> Found(const std::string& name = "") {
    const absl::StatusOr<ModelRepository> repository = ModelRepository::Open(folders_.Path(name));
    EXPECT_TRUE(repository.ok()) << repository.status();
    return Names(repository->Scan()->versions);
  }
  static std::vector<std::string> Names(const std::vector<VersionFolder>& found) {
    std::vector<std::string> names;
    for (const VersionFolder& folder : found) names.push_back(folder.model + "/" + folder.version);
    return names;
  }
  std::string Fingerprint() {
    return ModelRepository::Open(folders_.Path("mnist"))->Scan()->versions.at(0).fingerprint;
  }

  const testing::ModelFolders folders_;
};

TEST_F(ModelRepositoryTest, VersionSaysItsNameItself) {
  folders_.Add("some/folder");
  EXPECT_THAT(Found("some/folder"), ElementsAre("mnist/1"));
}

TEST_F(ModelRepositoryTest, WeightFileIsAVersionByItself) {
  folders_.Add("mnist/1");
  EXPECT_THAT(Found("mnist/1/weights.pt"), ElementsAre("weights/1"));
  const ModelRepository file = ModelRepository::Open(folders_.Path("mnist/1/weights.pt")).value();
  const std::string before = file.Scan()->versions.at(0).fingerprint;
  folders_.Write("mnist/1/weights.pt", "others");
  EXPECT_NE(file.Scan()->versions.at(0).fingerprint, before);
  folders_.Remove("mnist/1/weights.pt");
  EXPECT_EQ(file.Scan().status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ModelRepositoryTest, ModelHasItsVersionsTheHighestFirst) {
  for (const char* version : {"9", "10", "2"}) folders_.Add(std::string("digits/") + version);
  EXPECT_THAT(Found("digits"), ElementsAre("digits/10", "digits/9", "digits/2"));
  EXPECT_THAT(Found("digits/"), ElementsAre("digits/10", "digits/9", "digits/2"));
}

TEST_F(ModelRepositoryTest, RepositoryHasItsModels) {
  for (const char* version : {"b/1", "a/3", "a/4"}) folders_.Add(version);
  EXPECT_THAT(Found(), ElementsAre("a/4", "a/3", "b/1"));
}

TEST_F(ModelRepositoryTest, WhatIsNeitherAModelNorAVersionIsIgnored) {
  folders_.Add("digits/1");
  folders_.Add("digits/.2");
  folders_.Add("digits/v3");
  folders_.Add("digits/-4");
  folders_.Add("digits/.7");
  std::filesystem::create_directories(folders_.Path("digits/5"));  // no card yet
  folders_.Write("digits/6", "a file");
  folders_.Write("README", "a file");
  std::filesystem::create_directories(folders_.Path("empty"));
  EXPECT_THAT(Found("digits"), ElementsAre("digits/1"));
  EXPECT_THAT(Found(), ElementsAre("digits/1"));
}

TEST_F(ModelRepositoryTest, LinksAreFollowedAsKubernetesSwapsThem) {
  folders_.Add("..2026/mnist/1");
  std::filesystem::create_directory_symlink("..2026", folders_.Path("..data"));
  std::filesystem::create_directory_symlink("..data/mnist", folders_.Path("mnist"));
  EXPECT_THAT(Found(), ElementsAre("mnist/1"));
  const std::string before = Fingerprint();
  folders_.Add("..2027/mnist/1");
  std::filesystem::remove(folders_.Path("..data"));
  std::filesystem::create_directory_symlink("..2027", folders_.Path("..data"));
  EXPECT_THAT(Found(), ElementsAre("mnist/1"));
  EXPECT_NE(Fingerprint(), before);
}

TEST_F(ModelRepositoryTest, FingerprintChangesWithTheFilesOnly) {
  folders_.Add("mnist/1");
  const std::string before = Fingerprint();
  EXPECT_EQ(Fingerprint(), before);
  folders_.Write("mnist/1/notes", "new");
  const std::string more = Fingerprint();
  EXPECT_NE(more, before);
  folders_.Write("mnist/1/notes", "longer");
  EXPECT_NE(Fingerprint(), more);
}

TEST_F(ModelRepositoryTest, WhatCannotBeReadIsNotTakenForGone) {
  folders_.Add("a/1");
  folders_.Add("b/1");
  const ModelRepository repository = ModelRepository::Open(folders_.Path()).value();
  const ModelRepository a = ModelRepository::Open(folders_.Path("a")).value();
  folders_.Remove("a");
  std::filesystem::create_symlink("a", folders_.Path("a"));  // a loop
  const absl::StatusOr<FoundModels> found = repository.Scan();
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(Names(found->versions), ElementsAre("b/1"));
  ASSERT_EQ(found->unreadable.count("a"), 1U);
  EXPECT_THAT(std::string(found->unreadable.at("a").message()), HasSubstr(folders_.Path("a")));
  EXPECT_FALSE(a.Scan().ok());
  // And it does not keep a server from starting with the others.
  EXPECT_THAT(Found(), ElementsAre("b/1"));
}

TEST_F(ModelRepositoryTest, NumbersMayHaveAnyLength) {
  folders_.Add("digits/1764489600123456789");
  folders_.Add("digits/99");
  EXPECT_THAT(Found("digits"), ElementsAre("digits/1764489600123456789", "digits/99"));
}

TEST_F(ModelRepositoryTest, FolderWithoutAModelIsAnErrorThatSaysWhatWasWanted) {
  const absl::Status empty = ModelRepository::Open(folders_.Path()).status();
  EXPECT_EQ(empty.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(empty.message()), HasSubstr("model_card.json"));
  EXPECT_EQ(ModelRepository::Open(folders_.Path("none")).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ModelRepository::Open("/dev/null").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(ModelRepositoryTest, FolderThatVanishesIsAnErrorAndNotEmpty) {
  folders_.Add("mnist/1");
  const ModelRepository model = ModelRepository::Open(folders_.Path("mnist")).value();
  const ModelRepository version = ModelRepository::Open(folders_.Path("mnist/1")).value();
  folders_.Remove("mnist");
  EXPECT_FALSE(model.Scan().ok());
  EXPECT_FALSE(version.Scan().ok());
  std::filesystem::create_directories(folders_.Path("mnist"));
  EXPECT_THAT(Names(model.Scan()->versions), IsEmpty());
}

}  // namespace
}  // namespace hellocnn
