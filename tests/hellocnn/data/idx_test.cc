#include "hellocnn/data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <numeric>

#include "tests/testing/files.h"

namespace hellocnn {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Header(const std::vector<std::uint32_t>& shape, char type = 8) {
  std::string header{0, 0, type, static_cast<char>(shape.size())};
  for (const std::uint32_t extent : shape) {
    for (int shift = 24; shift >= 0; shift -= 8)
      header.push_back(static_cast<char>(extent >> shift));
  }
  return header;
}

std::string Gzipped(const std::string& bytes) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/gz";
  gzFile file = gzopen(path.c_str(), "wb");
  EXPECT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())),
            static_cast<int>(bytes.size()));
  EXPECT_EQ(gzclose(file), Z_OK);
  return ReadFile(path);
}

std::string ErrorOf(const std::string& bytes) {
  const absl::StatusOr<IdxArray> array = ParseIdx("a.idx", bytes);
  EXPECT_EQ(array.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(array.status().message()), HasSubstr("a.idx"));
  return std::string(array.status().message());
}

TEST(IdxTest, ShapeAndValuesAreRead) {
  const absl::StatusOr<IdxArray> array = ParseIdx("a.idx", Header({2, 3}) + "abcde\xff");
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_THAT(array->shape, ElementsAre(2, 3));
  EXPECT_THAT(array->values, ElementsAre('a', 'b', 'c', 'd', 'e', 255));
}

TEST(IdxTest, EmptyArrayIsAnArray) {
  const absl::StatusOr<IdxArray> array = ParseIdx("a.idx", Header({0, 28, 28}));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_TRUE(array->values.empty());
}

TEST(IdxTest, PlainAndGzippedFilesReadTheSame) {
  const TemporaryDirectory directory;
  const std::string bytes = Header({3}) + "abc";
  const std::string plain = directory.Write("plain.gz", bytes);
  const std::string gzipped = directory.Write("gzipped", Gzipped(bytes));
  for (const std::string& path : {plain, gzipped}) {
    const absl::StatusOr<IdxArray> array = ReadIdx(path);
    ASSERT_TRUE(array.ok()) << array.status();
    EXPECT_THAT(array->values, ElementsAre('a', 'b', 'c'));
  }
}

TEST(IdxTest, MissingFileIsNotFound) {
  const absl::Status status = ReadIdx("/nowhere/x.idx").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nowhere/x.idx"));
}

TEST(IdxTest, DirectoryIsNotAFile) {
  EXPECT_EQ(ReadIdx("/tmp").status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(IdxTest, EveryTruncationIsAnError) {
  const std::string bytes = Header({2, 3}) + "abcdef";
  for (std::size_t size = 0; size < bytes.size(); ++size) ErrorOf(bytes.substr(0, size));
}

TEST(IdxTest, EveryTruncationOfAGzippedFileIsAnError) {
  const TemporaryDirectory directory;
  const std::string bytes = Gzipped(Header({2, 3}) + "abcdef");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::string path = directory.Write("cut", bytes.substr(0, size));
    EXPECT_EQ(ReadIdx(path).status().code(), absl::StatusCode::kInvalidArgument) << size;
  }
}

TEST(IdxTest, ExtraBytesAreAnError) {
  EXPECT_THAT(ErrorOf(Header({2, 3}) + "abcdefg"), AllOf(HasSubstr("7"), HasSubstr("6")));
}

TEST(IdxTest, WrongMagicIsShown) { EXPECT_THAT(ErrorOf("\x89PNG\r\n"), HasSubstr("0x89504e47")); }

TEST(IdxTest, OtherTypesAreRefused) {
  EXPECT_THAT(ErrorOf(Header({1}, 0x0D) + "abcd"), AllOf(HasSubstr("0x0d"), HasSubstr("uint8")));
}

TEST(IdxTest, DimensionsAreOneToFour) {
  EXPECT_THAT(ErrorOf(Header({}) + "a"), HasSubstr("has 0 dimensions"));
  EXPECT_THAT(ErrorOf(Header({1, 1, 1, 1, 1}) + "a"), HasSubstr("has 5 dimensions"));
  EXPECT_TRUE(ParseIdx("a.idx", Header({1, 1, 1, 1}) + "a").ok());
}

TEST(IdxTest, HugeShapesCostNothing) {
  EXPECT_THAT(ErrorOf(Header({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}) + "abc"), HasSubstr("2^64"));
  EXPECT_THAT(ErrorOf(Header({0xFFFFFFFF, 0xFFFFFFFF}) + "abc"), HasSubstr("18446744065119617025"));
}

TEST(MnistTest, TestSetIsRead) {
  const absl::StatusOr<LabeledImages> images =
      ReadMnist(std::string(HELLOCNN_SOURCE_DIR) + "/data/mnist-test", "t10k");
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_EQ(images->rows, 28);
  EXPECT_EQ(images->columns, 28);
  EXPECT_EQ(images->count(), 10'000);
  EXPECT_EQ(images->pixels.size(), 7'840'000U);
  // These are the well-known first digits of the test set.
  EXPECT_THAT(std::vector<std::uint8_t>(images->labels.begin(), images->labels.begin() + 5),
              ElementsAre(7, 2, 1, 0, 4));
}

class MnistFilesTest : public testing::Test {
 protected:
  std::string ErrorOf(const std::string& images, const std::string& labels) {
    directory_.Write("train-images-idx3-ubyte", images);
    directory_.Write("train-labels-idx1-ubyte", labels);
    const absl::Status status = ReadMnist(directory_.path(), "train").status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  }

  TemporaryDirectory directory_;
};

TEST_F(MnistFilesTest, MissingFilesAreNotFound) {
  EXPECT_EQ(ReadMnist(directory_.path(), "train").status().code(), absl::StatusCode::kNotFound);
  directory_.Write("train-images-idx3-ubyte", Header({0, 1, 1}));
  const absl::Status status = ReadMnist(directory_.path(), "train").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("train-labels-idx1-ubyte"));
}

TEST_F(MnistFilesTest, ErrorsOfTheSystemKeepTheirReason) {
  const std::string file = directory_.Write("f", "x");
  const absl::Status no_folder = ReadIdx(file + "/g").status();
  EXPECT_EQ(no_folder.code(), absl::StatusCode::kFailedPrecondition) << no_folder;
  EXPECT_THAT(std::string(no_folder.message()),
              AllOf(HasSubstr(file + "/g: "), HasSubstr("Not a directory")));
  const absl::Status folder = ReadIdx(directory_.path()).status();
  EXPECT_EQ(folder.code(), absl::StatusCode::kFailedPrecondition) << folder;
  EXPECT_THAT(std::string(folder.message()), HasSubstr("Is a directory"));
}

TEST_F(MnistFilesTest, ThereIsALabelForEveryImage) {
  EXPECT_THAT(ErrorOf(Header({2, 1, 1}) + "ab", Header({1}) + '\1'),
              AllOf(HasSubstr("1 labels"), HasSubstr("wanted 2")));
}

TEST_F(MnistFilesTest, LabelsAreDigits) {
  EXPECT_THAT(ErrorOf(Header({2, 1, 1}) + "ab", Header({2}) + "\x09\x0a"),
              HasSubstr("label 1 is 10"));
}

TEST_F(MnistFilesTest, LabelsMayBeThoseOfMoreClasses) {
  directory_.Write("train-images-idx3-ubyte", Header({2, 1, 1}) + "ab");
  directory_.Write("train-labels-idx1-ubyte", Header({2}) + "\x09\x19");
  EXPECT_TRUE(ReadMnist(directory_.path(), "train", 26).ok());
  EXPECT_EQ(ReadMnist(directory_.path(), "train", 25).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(MnistFilesTest, ImagesAndLabelsAreNotConfused) {
  EXPECT_THAT(ErrorOf(Header({2}) + "\1\2", Header({2}) + "\1\2"), HasSubstr("shape is [2]"));
  EXPECT_THAT(ErrorOf(Header({1, 1, 1}) + "a", Header({1, 1}) + "\1"), HasSubstr("[1, 1]"));
  EXPECT_THAT(ErrorOf(Header({0, 0, 5}), Header({0})), HasSubstr("[0, 0, 5]"));
}

}  // namespace
}  // namespace hellocnn
