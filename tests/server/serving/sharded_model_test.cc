// A version whose weights are an index and the files that it names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "hellocnn/formats/weight_file.h"
#include "hellocnn/repository/model_repository.h"
#include "hellocnn/topology.h"
#include "server/serving/model_loader.h"
#include "tests/testing/model_folders.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;

class ShardedModelTest : public ::testing::Test {
 protected:
  // Makes mnist/1, whose weights are index.json, a.safetensors and b.safetensors.
  void SetUp() override {
    folders_.Add("mnist/1");
    const absl::StatusOr<Weights> weights = LoadWeightFile(folders_.Path("mnist/1/weights.pt"));
    ASSERT_TRUE(weights.ok()) << weights.status();
    std::string map;
    for (const TensorSpec& tensor : WeightTensors(weights->classes())) {
      const std::string file = tensor.name[0] == 'c' ? "a.safetensors" : "b.safetensors";
      map += (map.empty() ? "\"" : ", \"") + tensor.name + "\": \"" + file + "\"";
    }
    folders_.Write("mnist/1/index.json", "{\"weight_map\": {" + map + "}}");
    for (const std::string file : {"a", "b"}) {
      ASSERT_TRUE(SaveWeightFile(*weights, folders_.Path("mnist/1/" + file + ".safetensors")).ok());
    }
    std::string card = folders_.Read("mnist/1/model_card.json");
    Replace(card, "weights.pt", "index.json");
    Replace(card, "weights_sha256", "sha256_of_other_weights");
    folders_.Write("mnist/1/model_card.json", card);
    folders_.Remove("mnist/1/weights.pt");
  }

  static void Replace(std::string& text, const std::string& old, const std::string& replacement) {
    const std::size_t at = text.find(old);
    ASSERT_NE(at, std::string::npos) << old;
    text.replace(at, old.size(), replacement);
  }

  VersionFolder Scanned(const std::string& path) const {
    return ModelRepository::Open(folders_.Path(path))->Scan()->versions.at(0);
  }

  // Changes the last byte of a file, but not its size.
  void ChangeLastByte(const std::string& name) const {
    std::string bytes = folders_.Read(name);
    bytes.back() = static_cast<char>(bytes.back() ^ 1);
    folders_.Write(name, bytes);
  }

  const testing::ModelFolders folders_;
};

TEST_F(ShardedModelTest, ContentIsThatOfEveryFile) {
  for (const std::string path : {"mnist", "mnist/1/index.json"}) {
    std::string before = ContentOf(Scanned(path)).value();
    for (const std::string file : {"a.safetensors", "b.safetensors", "index.json"}) {
      if (file == "index.json") {
        folders_.Write("mnist/1/index.json", folders_.Read("mnist/1/index.json") + " ");
      } else {
        ChangeLastByte("mnist/1/" + file);
      }
      const std::string after = ContentOf(Scanned(path)).value();
      EXPECT_NE(after, before) << path << " " << file;
      EXPECT_EQ(ContentOf(Scanned(path)).value(), after);
      before = after;
    }
  }
}

TEST_F(ShardedModelTest, FileThatIsMissingIsNamed) {
  folders_.Remove("mnist/1/b.safetensors");
  const absl::Status status = ContentOf(Scanned("mnist")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("b.safetensors"));
}

TEST_F(ShardedModelTest, FingerprintChangesWithEveryFile) {
  for (const std::string path : {"mnist", "mnist/1", "mnist/1/index.json"}) {
    std::string before = Scanned(path).fingerprint;
    EXPECT_EQ(Scanned(path).fingerprint, before);
    for (const std::string file : {"a.safetensors", "b.safetensors"}) {
      folders_.Write("mnist/1/" + file, folders_.Read("mnist/1/" + file) + "x");
      const std::string after = Scanned(path).fingerprint;
      EXPECT_NE(after, before) << path << " " << file;
      before = after;
    }
  }
  const std::string before = Scanned("mnist/1/index.json").fingerprint;
  folders_.Remove("mnist/1/a.safetensors");
  EXPECT_NE(Scanned("mnist/1/index.json").fingerprint, before);
}

TEST_F(ShardedModelTest, IndexThatIsBrokenHasAFingerprint) {
  folders_.Write("mnist/1/index.json", "{\"weight_map\": 7}");
  EXPECT_FALSE(Scanned("mnist/1/index.json").fingerprint.empty());
}

}  // namespace
}  // namespace hellocnn::server
