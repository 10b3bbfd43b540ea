#include "hellocnn/data/dataset_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <utility>

#include "hellocnn/data/idx.h"
#include "tests/hellocnn/data/idx_bytes.h"
#include "tests/testing/files.h"

namespace hellocnn {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// The names under which people have data sets, each with the part of it.
class DatasetFilesTest : public testing::Test {
 protected:
  // Writes images and labels of `count` images of one pixel.
  void Write(const std::string& images, const std::string& labels, int count = 1) {
    for (const std::string& name : {images, labels}) {
      std::filesystem::create_directories(
          std::filesystem::path(directory_.path() + "/" + name).parent_path());
    }
    const auto zip = [](const std::string& name, const std::string& bytes) {
      return name.ends_with(".gz") ? Gzipped(bytes) : bytes;
    };
    const auto size = static_cast<std::uint32_t>(count);
    const auto length = static_cast<std::size_t>(count);
    directory_.Write(images, zip(images, Header({size, 1, 1}) + std::string(length, 'a')));
    directory_.Write(labels, zip(labels, Header({size}) + std::string(length, '\3')));
  }

  std::string ErrorOf(const std::string& where, absl::StatusCode code) {
    const absl::Status status = ReadMnist(where, "t10k").status();
    EXPECT_EQ(status.code(), code) << status;
    return std::string(status.message());
  }

  TemporaryDirectory directory_;
};

TEST_F(DatasetFilesTest, EveryUsualNameIsFound) {
  for (const auto& [images, labels] :
       {std::pair("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
        {"t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"},
        {"t10k-images.idx3-ubyte.gz", "t10k-labels.idx1-ubyte.gz"},
        {"T10K-IMAGES-IDX3-UBYTE", "t10k-labels-idx1-ubyte"},
        {"test-images-idx3-ubyte", "test-labels-idx1-ubyte"},
        {"t10k-images-idx3-ubyte/t10k-images-idx3-ubyte",
         "t10k-images-idx3-ubyte/t10k-labels-idx1-ubyte"},
        {"MNIST/raw/t10k-images-idx3-ubyte", "MNIST/raw/t10k-labels-idx1-ubyte"},
        {"raw/t10k-images-idx3-ubyte", "raw/t10k-labels-idx1-ubyte"},
        {"KMNIST/raw/t10k-images-idx3-ubyte.gz", "KMNIST/raw/t10k-labels-idx1-ubyte.gz"},
        {"emnist-digits-test-images-idx3-ubyte.gz", "emnist-digits-test-labels-idx1-ubyte.gz"},
        {"EMNIST/raw/gzip/emnist-mnist-test-images-idx3-ubyte",
         "EMNIST/raw/gzip/emnist-mnist-test-labels-idx1-ubyte"}}) {
    Write(images, labels);
    Write("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 2);
    const absl::StatusOr<LabeledImages> set = ReadMnist(directory_.path(), "t10k");
    ASSERT_TRUE(set.ok()) << set.status();
    EXPECT_THAT(set->labels, ElementsAre(3)) << images;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      std::filesystem::remove_all(entry);
    }
  }
}

TEST_F(DatasetFilesTest, LabelsOfQmnistAreTheFirstColumnOfTheirRows) {
  Write("qmnist-test-images-idx3-ubyte", "unused", 2);
  std::string rows;
  for (const char label : {'\7', '\2'}) {
    rows += std::string("\0\0\0", 3) + label + std::string(28, '\1');
  }
  directory_.Write("qmnist-test-labels-idx2-int", Header({2, 8}, 0x0C) + rows);
  const absl::StatusOr<LabeledImages> set = ReadMnist(directory_.path(), "t10k");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_THAT(set->labels, ElementsAre(7, 2));
}

TEST_F(DatasetFilesTest, PlainFileIsTakenBeforeTheGzippedOne) {
  Write("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", 2);
  Write("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 1);
  EXPECT_EQ(ReadMnist(directory_.path(), "t10k")->count(), 1);
}

TEST_F(DatasetFilesTest, FilesThatOnlyLookLikeItAreLeftAlone) {
  Write("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", 1);
  for (const std::string name : {"._t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz.part",
                                 "t10k-images-idx3-ubyte.zip", "t10k-images.txt"}) {
    directory_.Write(name, "junk");
  }
  const absl::StatusOr<LabeledImages> set = ReadMnist(directory_.path(), "t10k");
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->count(), 1);
}

TEST_F(DatasetFilesTest, LeastDeepFolderWins) {
  Write("MNIST/raw/t10k-images-idx3-ubyte", "MNIST/raw/t10k-labels-idx1-ubyte", 2);
  Write("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", 1);
  EXPECT_EQ(ReadMnist(directory_.path(), "t10k")->count(), 1);
}

TEST_F(DatasetFilesTest, OneOfSeveralSetsMustBeNamed) {
  Write("emnist-digits-test-images-idx3-ubyte", "emnist-digits-test-labels-idx1-ubyte", 1);
  Write("emnist-letters-test-images-idx3-ubyte", "emnist-letters-test-labels-idx1-ubyte", 2);
  const std::string digits = directory_.path() + "/emnist-digits";
  const std::string letters = directory_.path() + "/emnist-letters";
  EXPECT_THAT(ErrorOf(directory_.path(), absl::StatusCode::kInvalidArgument),
              AllOf(HasSubstr("2 data sets"), HasSubstr(digits), HasSubstr(letters)));
  EXPECT_EQ(ReadMnist(digits, "t10k")->count(), 1);
  EXPECT_EQ(ReadMnist(letters, "t10k")->count(), 2);
}

TEST_F(DatasetFilesTest, WhatIsThereIsListedIfNothingFits) {
  directory_.Write("t10k-images-idx3-ubyte", "");
  directory_.Write("kmnist-test-imgs.npz", "");
  EXPECT_THAT(ErrorOf(directory_.path(), absl::StatusCode::kNotFound),
              AllOf(HasSubstr("t10k-labels-idx1-ubyte, with or without .gz"),
                    HasSubstr("found kmnist-test-imgs.npz, t10k-images-idx3-ubyte")));
  const TemporaryDirectory empty;
  EXPECT_THAT(ErrorOf(empty.path(), absl::StatusCode::kNotFound), HasSubstr("found nothing"));
  EXPECT_THAT(ErrorOf("/nowhere/at/all", absl::StatusCode::kNotFound),
              HasSubstr("/nowhere/at/all: there is no such folder"));
  for (int i = 0; i < 100; ++i) empty.Write("file" + std::to_string(i), "");
  EXPECT_THAT(ErrorOf(empty.path(), absl::StatusCode::kNotFound), HasSubstr(" and 80 more"));
}

TEST(LabeledImagesTest, InvertedAndTransposedTwiceIsAsBefore) {
  const LabeledImages original{2, 3, {0, 1, 2, 3, 4, 255, 10, 11, 12, 13, 14, 15}, {0, 1}};
  LabeledImages set = original;
  Transpose(set);
  EXPECT_EQ(set.rows, 3);
  EXPECT_EQ(set.columns, 2);
  EXPECT_THAT(set.pixels, ElementsAre(0, 3, 1, 4, 2, 255, 10, 13, 11, 14, 12, 15));
  Invert(set);
  EXPECT_EQ(set.pixels[5], 0);
  Invert(set);
  Transpose(set);
  EXPECT_EQ(set.pixels, original.pixels);
}

TEST(LabeledImagesTest, BrightEdgesLookInverted) {
  LabeledImages set = *ReadMnist(std::string(HELLOCNN_SOURCE_DIR) + "/data/mnist-test", "t10k");
  EXPECT_FALSE(LooksInverted(set));
  Invert(set);
  EXPECT_TRUE(LooksInverted(set));
  EXPECT_FALSE(LooksInverted(LabeledImages{}));
}

}  // namespace
}  // namespace hellocnn
