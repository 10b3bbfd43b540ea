#include "datasets/labelled_images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "datasets/array_files.h"
#include "tests/datasets/numpy_files.h"
#include "tests/datasets/pictures.h"
#include "tests/testing/files.h"

namespace hellocnn {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<std::string> kThree = {"a", "b", "c"};

std::string ErrorOf(const std::string& where, const LoadOptions& options = {}) {
  const absl::StatusOr<LoadedImages> loaded = LoadLabelledImages(where, options);
  EXPECT_FALSE(loaded.ok()) << where;
  return std::string(loaded.status().message());
}

// Writes an IDX set of 28x28 images whose pixels are their index.
void WriteIdx(const TemporaryDirectory& folder, const std::string& prefix,
              const std::string& labels) {
  const auto count = static_cast<char>(labels.size());
  std::string images = {0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28};
  for (char i = 0; i < count; ++i) images += std::string(784, i);
  folder.Write(prefix + "-images-idx3-ubyte", images);
  folder.Write(prefix + "-labels-idx1-ubyte", std::string{0, 0, 8, 1, 0, 0, 0, count} + labels);
}

TEST(LabelledImagesTest, MnistIsFoundAsEver) {
  const std::string where = std::string(HELLOCNN_SOURCE_DIR) + "/data/mnist-test";
  const absl::StatusOr<LoadedImages> loaded = LoadLabelledImages(where, {.limit = 100});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->images.count(), 100);
  EXPECT_EQ(loaded->images.rows, 28);
  EXPECT_EQ(loaded->images.pixels.size(), 100U * 784);
  EXPECT_EQ(loaded->images.labels[0], 7);
  EXPECT_THAT(loaded->class_labels, IsEmpty());
  EXPECT_EQ(loaded->files.size(), 2U);
  EXPECT_EQ(LoadLabelledImages(where, {.part = DataPart::kTraining}).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(LabelledImagesTest, ArraysAreFoundByTheNamesThatDataSetsGiveThem) {
  for (const std::string name :
       {"keras.npz", "compressed.npz", "medmnist.npz", "unnamed.npz", "named.npz", "kmnist",
        "plain", "two_sets/k49", "two_sets/kmnist"}) {
    const absl::StatusOr<LoadedImages> loaded =
        LoadLabelledImages(NumpyFile(name), {.class_labels = kThree});
    ASSERT_TRUE(loaded.ok()) << name << ": " << loaded.status();
    EXPECT_EQ(loaded->images.pixels, NumpyPixels(5)) << name;
    EXPECT_THAT(loaded->images.labels, ElementsAre(0, 1, 2, 0, 1)) << name;
    EXPECT_THAT(loaded->class_labels, ElementsAre("a", "b", "c"));
  }
}

TEST(LabelledImagesTest, EachPartHasItsArrays) {
  for (const std::string name : {"keras.npz", "kmnist"}) {
    const absl::StatusOr<LoadedImages> loaded =
        LoadLabelledImages(NumpyFile(name), {.part = DataPart::kTraining});
    ASSERT_TRUE(loaded.ok()) << name << ": " << loaded.status();
    EXPECT_EQ(loaded->images.count(), 2) << name;
  }
  const LoadOptions strict{.part = DataPart::kTest, .take_undivided = false};
  const absl::Status status = LoadLabelledImages(NumpyFile("named.npz"), strict).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("has no arrays with the images and labels of a test set"),
                    HasSubstr("named.npz, images; ")));
}

TEST(LabelledImagesTest, WrongArraysAreNamed) {
  EXPECT_THAT(ErrorOf(NumpyFile("other.npz")), HasSubstr("has no array that is named as images"));
  EXPECT_THAT(ErrorOf(NumpyFile("objects.npz")), HasSubstr("objects.npz, images: holds Python"));
  EXPECT_THAT(ErrorOf(NumpyFile("too_few.npz")), HasSubstr("has 4 labels; wanted 5, one for each"));
  EXPECT_THAT(ErrorOf(NumpyFile("two_sets")),
              HasSubstr("has 2 data sets; wanted the name of one of them: k49, kmnist"));
  EXPECT_THAT(ErrorOf(NumpyFile("twice")), HasSubstr("may be the images; wanted one of them"));
  EXPECT_THAT(ErrorOf(NumpyFile("bzip2.npz")), HasSubstr("is compressed by method 12"));
  EXPECT_THAT(ErrorOf(NumpyFile("cut.npz")), HasSubstr("is no zip archive, or a damaged one"));
  EXPECT_THAT(ErrorOf(NumpyFile("flipped.npz")), HasSubstr("record \"x_test.npy\" cannot be read"));
  EXPECT_THAT(ErrorOf(NumpyFile("plain/x_test.npy")), HasSubstr("found"));
  EXPECT_THAT(ErrorOf(NumpyFile("keras.npz"), {.class_labels = {"a", "b"}}),
              HasSubstr("keras.npz, y_test: label 2 is 2; wanted 0 to 1, for 2 classes"));
}

TEST(LabelledImagesTest, LabelsMayBeginAtOne) {
  const TemporaryDirectory folder;
  WriteIdx(folder, "emnist-letters-test", "\1\2\3");
  EXPECT_THAT(ErrorOf(folder.path(), {.class_labels = kThree}),
              HasSubstr("label 2 is 3; wanted 0 to 2, for 3 classes; the labels begin at 1, as "
                        "those of EMNIST's letters do: --first-label 1 takes 1 as class 0"));
  const absl::StatusOr<LoadedImages> loaded =
      LoadLabelledImages(folder.path(), {.class_labels = kThree, .first_label = 1});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(loaded->images.labels, ElementsAre(0, 1, 2));
  EXPECT_TRUE(loaded->may_be_transposed);
  EXPECT_THAT(ErrorOf(folder.path(), {.class_labels = kThree, .first_label = 2}),
              HasSubstr("label 0 is 1; wanted 2 to 4"));
}

TEST(LabelledImagesTest, TheMappingOfEmnistNamesTheClasses) {
  const TemporaryDirectory folder;
  WriteIdx(folder, "emnist-letters-test", "\1\2\3");
  const std::string mapping =
      folder.Write("emnist-letters-mapping.txt", "1 65 97\n2 66 98\n3 67 99\n");
  const absl::StatusOr<LoadedImages> loaded =
      LoadLabelledImages(folder.path(), {.mending = {.transpose = true}});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(loaded->images.labels, ElementsAre(0, 1, 2));
  EXPECT_THAT(loaded->class_labels, ElementsAre("A", "B", "C"));
  EXPECT_EQ(loaded->files.back(), mapping);
  EXPECT_FALSE(loaded->may_be_transposed);
  for (const std::string wrong : {"1 65\n3 66\n", "1\n", "1 65\nx 66\n", "1 65\n2 10\n"}) {
    folder.Write("emnist-letters-mapping.txt", wrong);
    EXPECT_THAT(ErrorOf(folder.path()), AllOf(HasSubstr("emnist-letters-mapping.txt: line "),
                                              HasSubstr("and the code of a character")));
  }
}

class PicturesTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& bytes) {
    const std::filesystem::path path = std::filesystem::path(root_.path()) / name;
    std::filesystem::create_directories(path.parent_path());
    WriteFile(path.string(), bytes);
  }

  TemporaryDirectory root_;
};

TEST_F(PicturesTest, SmallGreyPicturesAreTakenAsTheyAre) {
  Write("cat/1.pgm", GreyPicture(28, 9));
  Write("dog/1.pgm", GreyPicture(28));
  const absl::StatusOr<LoadedImages> loaded = LoadLabelledImages(root_.path(), {});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(loaded->class_labels, ElementsAre("cat", "dog"));
  EXPECT_THAT(loaded->images.labels, ElementsAre(0, 1));
  EXPECT_EQ(loaded->images.rows, 28);
  EXPECT_EQ(loaded->images.pixels[0], 9);
  EXPECT_EQ(loaded->images.pixels[3 * 28 + 5], 200);
  EXPECT_THAT(loaded->notes, IsEmpty());

  const absl::StatusOr<LoadedImages> mended =
      LoadLabelledImages(root_.path(), {.mending = {.invert = true, .transpose = true}});
  ASSERT_TRUE(mended.ok()) << mended.status();
  EXPECT_EQ(mended->images.pixels[0], 246);
  EXPECT_EQ(mended->images.pixels[5 * 28 + 3], 55);
}

TEST_F(PicturesTest, OnePictureOf32MakesAllOf32) {
  Write("cat/1.pgm", GreyPicture(28, 9));
  Write("dog/1.pgm", GreyPicture(32, 9));
  const absl::StatusOr<LoadedImages> loaded = LoadLabelledImages(root_.path(), {});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->images.rows, 32);
  EXPECT_EQ(loaded->images.pixels[0], 0);
  EXPECT_EQ(loaded->images.pixels[5 * 32 + 7], 200);
  EXPECT_EQ(loaded->images.pixels[1024], 9);
}

TEST_F(PicturesTest, OthersArePreparedAsClassifyDoes) {
  const std::string pictures = std::string(HELLOCNN_SOURCE_DIR) + "/data/pictures/";
  Write("2/two.jpg", ReadFile(pictures + "two-on-paper.jpg"));
  Write("7/seven.png", ReadFile(pictures + "seven.png"));
  const std::vector<std::string> digits = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  const absl::StatusOr<LoadedImages> loaded =
      LoadLabelledImages(root_.path(), {.class_labels = digits});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(loaded->images.labels, ElementsAre(2, 7));
  EXPECT_THAT(loaded->notes, ElementsAre(HasSubstr("pictures are not 28x28 or 32x32 in grey")));
  // The ink of the photo is light, and its paper black.
  EXPECT_EQ(loaded->images.pixels[0], 0);
  EXPECT_GT(*std::max_element(loaded->images.pixels.begin(), loaded->images.pixels.begin() + 784),
            200);
  const absl::StatusOr<LoadedImages> whole =
      LoadLabelledImages(root_.path(), {.class_labels = digits, .fit = client::Fit::kAsIs});
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_NE(whole->images.pixels, loaded->images.pixels);
}

TEST_F(PicturesTest, BadPicturesAndNamesAreNamed) {
  Write("cat/1.pgm", GreyPicture(28));
  Write("dog/1.pgm", "no picture");
  EXPECT_THAT(ErrorOf(root_.path()), HasSubstr("/dog/1.pgm: this is not a picture"));
  Write("dog/1.pgm", "P5 40 40 255\n" + std::string(1600, 'x'));
  EXPECT_THAT(ErrorOf(root_.path()),
              AllOf(HasSubstr("/dog/1.pgm: there is nothing to see"), HasSubstr("--fit as-is")));
  EXPECT_THAT(ErrorOf(root_.path(), {.class_labels = {"0", "cat"}}),
              HasSubstr("no class of the model: \"dog\"; wanted folders named as its classes: "
                        "\"0\", \"cat\""));
  std::filesystem::remove_all(root_.path() + "/dog");
  EXPECT_THAT(ErrorOf(root_.path()), HasSubstr("has 1 class; wanted 2 to 1024"));
}

TEST_F(PicturesTest, WhatIsNoDataIsListedWithEveryKindThatWouldBe) {
  Write("readme.txt", "");
  const absl::Status status = FindLabelledImages(root_.path(), {});
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("t10k-images-idx3-ubyte"), HasSubstr("found readme.txt"),
                    HasSubstr("x_test and y_test in .npy files"),
                    HasSubstr("a folder of pictures for each class")));
}

TEST(ArrayFilesTest, FolderWithTooManyArraysIsRejectedAndNotCut) {
  const TemporaryDirectory folder;
  for (int i = 0; i <= 1000; ++i) folder.Write("a" + std::to_string(i) + ".npy", "");
  const absl::Status status = FindArrays(folder.path(), DataPart::kTest, true).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has more than 1000 files of arrays"));
}

}  // namespace
}  // namespace hellocnn
