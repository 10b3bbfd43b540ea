#include "hellocnn/data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <numeric>

#include "tests/hellocnn/data/idx_bytes.h"
#include "tests/testing/files.h"

namespace hellocnn {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

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

TEST(IdxTest, OnlyARegularFileIsRead) {
  const TemporaryDirectory directory;
  const std::string pipe = directory.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {directory.path(), pipe, std::string("/dev/zero")}) {
    EXPECT_EQ(ReadIdx(path).status(),
              absl::InvalidArgumentError(path + ": is not a regular file; wanted one"));
  }
}

TEST(IdxTest, NoMoreIsReadThanTheHeaderSays) {
  const TemporaryDirectory directory;
  const std::string path = directory.Write("huge", Header({3}));
  std::filesystem::resize_file(path, std::uintmax_t{5} << 30);
  EXPECT_EQ(ReadIdx(path).status(),
            absl::InvalidArgumentError(path +
                                       ": has more than 3 bytes of values; its shape [3] wants 3"));
  directory.Write("huge", Header({1 << 16, 1 << 15}));
  std::filesystem::resize_file(path, std::uintmax_t{5} << 30);
  EXPECT_EQ(ReadIdx(path).status(),
            absl::InvalidArgumentError(path + ": its shape [65536, 32768] wants 2147483648 bytes "
                                              "of values; wanted at most 1073741824"));
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

TEST(IdxTest, Int32IsRead) {
  const absl::StatusOr<IdxArray> array =
      ParseIdx("a.idx", Header({1, 2}, 0x0C) + std::string("\0\1\0\2\xff\xff\xff\xff", 8));
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_TRUE(array->is_int32);
  EXPECT_THAT(array->integers, ElementsAre(65538, -1));
  EXPECT_THAT(ErrorOf(Header({1, 2}, 0x0C) + "1234567"), AllOf(HasSubstr("7"), HasSubstr("8")));
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
  EXPECT_THAT(std::vector<int>(images->labels.begin(), images->labels.begin() + 5),
              ElementsAre(7, 2, 1, 0, 4));
}

TEST(FormatIdxTest, ItsBytesAreReadAsTheSameArray) {
  const std::string bytes = FormatIdx({2, 1, 3}, {0, 1, 2, 127, 128, 255});
  EXPECT_EQ(bytes, Header({2, 1, 3}) + std::string("\0\1\2\x7f\x80\xff", 6));
  const absl::StatusOr<IdxArray> array = ParseIdx("f", bytes);
  ASSERT_TRUE(array.ok()) << array.status();
  EXPECT_THAT(array->shape, ElementsAre(2, 1, 3));
  EXPECT_FALSE(array->is_int32);
  EXPECT_THAT(array->values, ElementsAre(0, 1, 2, 127, 128, 255));
  // Extents that take more than one byte.
  EXPECT_EQ(ParseIdx("f", FormatIdx({300, 256}, std::vector<std::uint8_t>(76800)))->shape[0], 300);
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
