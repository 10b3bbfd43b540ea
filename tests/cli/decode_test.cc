#include "cli/images/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zlib.h>

#include <limits>
#include <thread>

#include "cli/images/gzip.h"
#include "cli/images/pnm.h"
#include "tests/testing/files.h"

// The image writer is used only in tests, and is not part of this project.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wunused-function"
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#include "stb/stb_image_write.h"
#pragma GCC diagnostic pop

namespace hellocnn::cli {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Pixels = std::vector<std::uint8_t>;

void Append(void* to, void* data, int size) {
  static_cast<std::string*>(to)->append(static_cast<char*>(data), size);
}

std::string Png(int width, int height, int channels, const Pixels& pixels) {
  std::string bytes;
  stbi_write_png_to_func(Append, &bytes, width, height, channels, pixels.data(), width * channels);
  return bytes;
}

std::string Jpeg(int width, int height, const Pixels& pixels) {
  std::string bytes;
  stbi_write_jpg_to_func(Append, &bytes, width, height, 1, pixels.data(), 95);
  return bytes;
}

Pixels Greys(const std::string& bytes, bool invert = false) {
  const absl::StatusOr<Picture> picture = DecodePicture("p", bytes, invert);
  EXPECT_TRUE(picture.ok()) << picture.status();
  return picture.ok() ? picture->grey : Pixels();
}

std::string Refusal(const std::string& bytes, bool invert = false) {
  const absl::StatusOr<Picture> picture = DecodePicture("the-file", bytes, invert);
  EXPECT_EQ(picture.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(picture.status().message());
  EXPECT_THAT(message, HasSubstr("the-file"));
  return message;
}

TEST(DecodePicture, ReadsPngOfAnyColourType) {
  EXPECT_THAT(Greys(Png(3, 1, 1, {0, 100, 255})), ElementsAre(0, 100, 255));
  EXPECT_THAT(Greys(Png(1, 2, 3, {255, 255, 255, 255, 0, 0})), ElementsAre(255, 76));
  EXPECT_THAT(Greys(Png(3, 1, 1, {0, 100, 255}), true), ElementsAre(255, 155, 0));
}

TEST(DecodePicture, TransparentPartsBecomeBackground) {
  const std::string white_ink = Png(2, 1, 2, {255, 255, 255, 0});
  EXPECT_THAT(Greys(white_ink), ElementsAre(255, 0));
  const std::string black_ink = Png(2, 1, 2, {0, 255, 0, 0});
  EXPECT_THAT(Greys(black_ink, true), ElementsAre(255, 0));
  EXPECT_THAT(Greys(Png(1, 1, 2, {200, 128})), ElementsAre(100));
}

TEST(DecodePicture, ReadsJpeg) {
  const Pixels greys = Greys(Jpeg(16, 8, Pixels(128, 180)));
  EXPECT_EQ(greys.size(), 128U);
  EXPECT_THAT(greys, Each(testing::AllOf(testing::Ge(177), testing::Le(183))));
}

TEST(DecodePicture, RefusesBrokenPictures) {
  const std::string png = Png(20, 20, 1, Pixels(400, 7));
  EXPECT_THAT(Refusal(png.substr(0, 20)), HasSubstr("header"));
  EXPECT_THAT(Refusal(png.substr(0, png.size() - 20)), HasSubstr("broken"));
  EXPECT_THAT(Refusal(Jpeg(16, 8, Pixels(128, 180)).substr(0, 30)), HasSubstr("header"));
  EXPECT_THAT(Refusal("not a picture"), HasSubstr("not 13"));
  EXPECT_THAT(Refusal(""), HasSubstr("not 0"));
}

TEST(DecodePicture, ErrorsShowNoControlCharacters) {
  std::string png = Png(20, 20, 1, Pixels(400, 7));
  const std::string chunk("\0\0\0\0A\x1b[2\0\0\0\0", 12);
  png.insert(8 + 25, chunk);  // after the signature and the header
  const std::string message = Refusal(png);
  EXPECT_EQ(message.find('\x1b'), std::string::npos) << message;
  EXPECT_THAT(message, HasSubstr("\\x1b"));
}

// Returns `png` with the length of its first chunk of pixels set to `length`.
std::string WithIdatLength(std::string png, std::uint32_t length) {
  const std::size_t at = png.find("IDAT") - 4;
  for (std::size_t i = 0; i < 4; ++i) png[at + i] = static_cast<char>(length >> (24 - 8 * i));
  return png;
}

TEST(DecodePicture, TakesNoMemoryForPixelsThatAreNotThere) {
  const std::string png = Png(20, 20, 1, Pixels(400, 7));
  EXPECT_THAT(Refusal(WithIdatLength(png, 100'000)), HasSubstr("outofdata"));
  EXPECT_THAT(Refusal(WithIdatLength(png, 0x7FFFFFFF)), HasSubstr("outofmem"));
}

// Returns a segment with one Huffman table that has this many codes of each length.
std::string HuffmanTable(char codes_of_a_length) {
  const std::size_t size =
      2 + 1 + 16 + std::size_t{16} * static_cast<unsigned char>(codes_of_a_length);
  std::string table{'\xff', '\xc4', static_cast<char>(size >> 8), static_cast<char>(size)};
  table += '\0';
  table.append(16, codes_of_a_length);
  return table.append(size - 2 - 1 - 16, '\x7f');
}

// stb_image has room for 256 codes, and writes further ones beyond the end of its table.
TEST(DecodePicture, RejectsHuffmanTablesOfTooManyCodes) {
  const std::string jpeg = Jpeg(16, 8, Pixels(128, 180));
  const auto with = [&](std::size_t at, const std::string& segment) {
    std::string changed = jpeg;
    return changed.insert(at, segment);
  };
  const std::size_t scan = jpeg.find("\xff\xda");
  ASSERT_NE(scan, std::string::npos);
  EXPECT_THAT(Refusal(with(2, HuffmanTable('\xff'))), HasSubstr("Huffman table of 4080 codes"));
  EXPECT_THAT(Refusal(with(2, HuffmanTable('\x11'))), HasSubstr("Huffman table of 272 codes"));
  EXPECT_THAT(Refusal(with(scan, HuffmanTable('\x11'))), HasSubstr("Huffman table of 272 codes"));
  // Fill bytes may precede a marker, and a table may follow the scan.
  EXPECT_THAT(Refusal(with(scan, "\xff\xff" + HuffmanTable('\x11'))), HasSubstr("272 codes"));
  EXPECT_THAT(Refusal(with(jpeg.size() - 2, HuffmanTable('\x11'))), HasSubstr("272 codes"));
  // Each of two tables in one segment is counted.
  std::string two = HuffmanTable('\x11');
  const std::string small = std::string(1, '\0') + std::string("\1") + std::string(15, '\0') + "\7";
  two.insert(4, small);
  const std::size_t size = two.size() - 2;
  two[2] = static_cast<char>(size >> 8);
  two[3] = static_cast<char>(size);
  EXPECT_THAT(Refusal(with(2, two)), HasSubstr("272 codes"));
}

TEST(DecodePicture, TakesJpegsWithAnySegmentsAroundTheirTables) {
  const std::string jpeg = Jpeg(16, 8, Pixels(128, 180));
  // A comment may contain bytes that would be a broken table elsewhere.
  const std::string table = HuffmanTable('\xff').substr(0, 40);
  const std::string comment = std::string("\xff\xfe\0\x2a", 4) + table;
  std::string changed = jpeg;
  EXPECT_EQ(Greys(changed.insert(2, comment)), Greys(jpeg));
  changed = jpeg;
  EXPECT_EQ(Greys(changed.insert(2, "\xff\xff\xff")), Greys(jpeg));
}

TEST(DecodePicture, RefusesHugePicturesByTheirHeader) {
  std::string png = Png(20, 20, 1, Pixels(400, 7));
  png.replace(16, 8, std::string("\0\0\xff\xff\0\0\xff\xff", 8));  // 65,535 by 65,535
  EXPECT_THAT(Refusal(png), HasSubstr("65535x65535"));
  EXPECT_THAT(Refusal("P5\n60000 60000\n255\n"), HasSubstr("60000x60000"));
  EXPECT_THAT(Refusal("P5 99999999 99999999 255 "), HasSubstr("at most"));
}

TEST(DecodePicture, ReadsPnm) {
  EXPECT_THAT(Greys("P5 3 1 255\n" + std::string("\0\x64\xff", 3)), ElementsAre(0, 100, 255));
  EXPECT_THAT(Greys("P5\n# a comment\n2 1\n65535\n" + std::string("\xff\xff\x80\x00", 4)),
              ElementsAre(255, 128));
  EXPECT_THAT(Greys("P2\n2 2\n15\n0 15\n5 # five\n10\n"), ElementsAre(0, 255, 85, 170));
  EXPECT_THAT(Greys("P6 1 1 255\n\xff" + std::string(2, '\0')), ElementsAre(76));
}

TEST(DecodePicture, RefusesBrokenPnm) {
  EXPECT_THAT(Refusal("P5 3 2 255\n12345"), HasSubstr("need 6 bytes, there are 5"));
  EXPECT_THAT(Refusal("P5 3 2 65535\n1234567"), HasSubstr("need 12 bytes"));
  for (const char* header :
       {"P5 0 2 255 ", "P5 3", "P5 3 2 99999 123456", "P5 -3 2 255 123456", "P5 3 2 255"}) {
    EXPECT_THAT(Refusal(header), HasSubstr("header"));
  }
  EXPECT_THAT(Refusal("P2 2 1 255 1 300"), HasSubstr("within 0 to 255"));
  EXPECT_THAT(Refusal("P2 2 1 255 17  "), HasSubstr("missing"));
}

TEST(DecodePicture, ReadsRawPixelsBySize) {
  EXPECT_EQ(DecodePicture("p", std::string(784, '\x05'), false)->width, 28);
  EXPECT_EQ(DecodePicture("p", std::string(1024, '\x05'), false)->width, 32);
  EXPECT_THAT(Greys(std::string(784, '\x05'), true), Each(250));
  const absl::StatusOr<Picture> floats = DecodePicture("p", std::string(4096, '\0'), false);
  ASSERT_TRUE(floats.ok());
  EXPECT_THAT(floats->normalised, testing::AllOf(testing::SizeIs(1024), Each(0.0F)));
  EXPECT_THAT(Refusal(std::string(4096, '\xff')), HasSubstr("finite"));
  EXPECT_THAT(Refusal(std::string(4096, '\0'), true), HasSubstr("--invert"));
}

class DecodeFileTest : public testing::Test {
 protected:
  TemporaryDirectory folder_;
};

// Returns `count` images of 2 rows by 3 columns. All pixels of image i are i.
std::string Idx(int count) {
  std::string bytes("\0\0\x08\x03\0\0\0\0\0\0\0\x02\0\0\0\x03", 16);
  bytes[7] = static_cast<char>(count);
  for (int i = 0; i < count; ++i) bytes.append(6, static_cast<char>(i));
  return bytes;
}

TEST_F(DecodeFileTest, ReadsTheFirstOfAnIdxFile) {
  const std::string path = folder_.Write("images", Idx(50));
  const absl::StatusOr<DecodedFile> decoded = DecodeFile(path, {.limit = 4});
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->total, 50);
  ASSERT_EQ(decoded->pictures.size(), 4U);
  EXPECT_EQ(decoded->pictures[3].width, 3);
  EXPECT_EQ(decoded->pictures[3].height, 2);
  EXPECT_THAT(decoded->pictures[3].grey, Each(3));
}

TEST_F(DecodeFileTest, ReadsOneOfAGzippedIdxFile) {
  const std::string path = folder_.path() + "/images.png";  // the name does not matter
  const std::string idx = Idx(50);
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, idx.data(), static_cast<unsigned>(idx.size()));
  gzclose(file);
  const absl::StatusOr<DecodedFile> decoded = DecodeFile(path, {.invert = true, .index = 49});
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->first_index, 49);
  ASSERT_EQ(decoded->pictures.size(), 1U);
  EXPECT_THAT(decoded->pictures[0].grey, Each(255 - 49));
  EXPECT_EQ(DecodeFile(path, {.index = 50}).status().code(), absl::StatusCode::kOutOfRange);
}

TEST_F(DecodeFileTest, ErrorsNameTheFile) {
  const auto message = [](const std::string& path, DecodeOptions options = {}) {
    const absl::Status status = DecodeFile(path, options).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr(path));
    return std::string(status.message());
  };
  EXPECT_THAT(message(folder_.path() + "/none.png"), HasSubstr("no such file"));
  EXPECT_EQ(DecodeFile(folder_.path() + "/none.png", {}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_THAT(message(folder_.path()), HasSubstr("folder"));
  message(folder_.Write("short.idx", Idx(9).substr(0, 40)));
  EXPECT_THAT(message(folder_.Write("labels", std::string("\0\0\x08\x01\0\0\0\x01\x05", 9))),
              HasSubstr("labels"));
  message(folder_.Write("broken.gz", "\x1f\x8b and then nonsense"));
  message(folder_.Write("empty.png", ""));
  EXPECT_THAT(message(folder_.Write("one.raw", std::string(784, '\0')), {.index = 1}),
              HasSubstr("image 0"));
}

TEST_F(DecodeFileTest, RawPixelsMayBeginLikeIdx) {
  std::string raw(784, '\0');
  raw.replace(0, 4, std::string("\0\0\x08\x03", 4));
  const absl::StatusOr<DecodedFile> decoded = DecodeFile(folder_.Write("raw", raw), {});
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->pictures[0].width, 28);
}

TEST(LooksDarkOnLight, GoesByTheBorder) {
  Picture picture{3, 3, Pixels(9, 255), {}};
  picture.grey[4] = 0;
  EXPECT_TRUE(LooksDarkOnLight(picture));
  for (std::uint8_t& grey : picture.grey) grey = 255 - grey;
  EXPECT_FALSE(LooksDarkOnLight(picture));
}

TEST(DecodeFile, ReadsPipesOfEveryFormat) {
  const TemporaryDirectory folder;
  const std::string idx = std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02", 16) + "abcd";
  const std::string gz_path = folder.path() + "/idx.gz";
  const gzFile gz = gzopen(gz_path.c_str(), "wb");
  gzwrite(gz, idx.data(), static_cast<unsigned>(idx.size()));
  gzclose(gz);
  std::string raw(784, '\0');
  for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<char>(i);
  const std::vector<std::pair<std::string, Pixels>> inputs = {
      {raw, Pixels(raw.begin(), raw.end())},
      {Png(3, 1, 1, {0, 100, 255}), {0, 100, 255}},
      {"P2 2 1 255 7 9", {7, 9}},
      {idx, {'a', 'b'}},
      {ReadFile(gz_path), {'a', 'b'}},
  };
  const std::string path = folder.path() + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  for (const auto& [bytes, pixels] : inputs) {
    // If the pipe were opened twice, the second reader would wait for another writer.
    std::thread writer([&path, written = bytes] { WriteFile(path, written); });
    const absl::StatusOr<DecodedFile> decoded = DecodeFile(path, {});
    writer.join();
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->pictures[0].grey, pixels);
  }
}

TEST(Gunzip, ReadsSeveralFilesInOneAndRejectsBrokenOnes) {
  const TemporaryDirectory folder;
  const std::string path = folder.path() + "/gz";
  const gzFile file = gzopen(path.c_str(), "wb");
  const std::string half(3000000, 'x');
  gzwrite(file, half.data(), static_cast<unsigned>(half.size()));
  gzclose(file);
  const std::string bytes = ReadFile(path);
  EXPECT_EQ(Gunzip("g", bytes, 3000000).value(), half);
  EXPECT_EQ(Gunzip("g", bytes + bytes, 6000000).value(), half + half);
  EXPECT_THAT(Gunzip("g", bytes, 2999999).status().message(), HasSubstr("2999999"));
  EXPECT_THAT(Gunzip("g", bytes.substr(0, bytes.size() - 1), 3000000).status().message(),
              HasSubstr("cut off"));
  std::string broken = bytes;
  broken[12] = static_cast<char>(broken[12] ^ 0x55);
  EXPECT_EQ(Gunzip("g", broken, 3000000).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Gunzip("g", "\x1f\x8b", 3000000).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace hellocnn::cli
