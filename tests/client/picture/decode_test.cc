#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <map>

#include "hellocnn/client/picture.h"
#include "tests/client/picture/encode.h"

namespace hellocnn::client {
namespace {

using hellocnn::testing::AnimatedWebp;
using hellocnn::testing::Bytes;
using hellocnn::testing::Deflate;
using hellocnn::testing::Exif;
using hellocnn::testing::Jpeg;
using hellocnn::testing::Png;
using hellocnn::testing::PngChunk;
using hellocnn::testing::PngOptions;
using hellocnn::testing::Webp;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;
using Values = std::vector<std::uint16_t>;

Picture Decode(const std::string& bytes) {
  absl::StatusOr<Picture> picture = DecodePicture("p", bytes);
  EXPECT_TRUE(picture.ok()) << picture.status();
  return picture.ok() ? *std::move(picture) : Picture();
}

// Returns the value of one channel of each pixel.
Values Channel(const std::string& bytes, int channel) {
  Values values;
  const Picture picture = Decode(bytes);
  for (std::size_t i = channel; i < picture.rgba.size(); i += 4) values.push_back(picture.rgba[i]);
  return values;
}

Values Reds(const std::string& bytes) { return Channel(bytes, 0); }

std::string Rejection(const std::string& bytes,
                      absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
  const absl::Status status = DecodePicture("the-file", bytes).status();
  EXPECT_EQ(status.code(), code) << status;
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("the-file: "));
  return message;
}

TEST(DecodePicture, ReadsPngOfEveryColourTypeWithAllItsBits) {
  EXPECT_THAT(Reds(Png(3, 1, {0, 100, 255})), ElementsAre(0, 100 * 257, 65535));
  const std::string rgb = Png(1, 2, {255, 255, 255, 255, 0, 1}, {.colour_type = 2});
  EXPECT_THAT(Channel(rgb, 1), ElementsAre(65535, 0));
  EXPECT_THAT(Channel(rgb, 2), ElementsAre(65535, 257));
  EXPECT_THAT(Channel(Png(1, 1, {7, 128}, {.colour_type = 4}), 3), ElementsAre(128 * 257));
  const std::string fine = Png(2, 1, {0x12, 0x34, 0xFF, 0xFE}, {.bits = 16});
  EXPECT_THAT(Reds(fine), ElementsAre(0x1234, 0xFFFE));
  EXPECT_TRUE(Decode(fine).more_than_8_bits);
  EXPECT_FALSE(Decode(rgb).more_than_8_bits);
  EXPECT_THAT(Reds(Png(8, 1, {0b10100000}, {.bits = 1})),
              ElementsAre(65535, 0, 65535, 0, 0, 0, 0, 0));
}

TEST(DecodePicture, ReadsPngWithAPaletteAndTransparentColours) {
  // Three colours, the second of which is half transparent; four pixels with 2 bits for each.
  const std::string palette =
      PngChunk("PLTE", std::string("\xff\0\0\0\x80\0\0\0\x40", 9)) + PngChunk("tRNS", "\xff\x80");
  const std::string png =
      Png(4, 1, {0b00011000}, {.bits = 2, .colour_type = 3, .before_pixels = palette});
  EXPECT_THAT(Channel(png, 0), ElementsAre(65535, 0, 0, 65535));
  EXPECT_THAT(Channel(png, 1), ElementsAre(0, 128 * 257, 0, 0));
  EXPECT_THAT(Channel(png, 2), ElementsAre(0, 0, 64 * 257, 0));
  EXPECT_THAT(Channel(png, 3), ElementsAre(65535, 128 * 257, 65535, 65535));
  // A level of grey, and a colour, that are transparent.
  const PngOptions grey{.before_pixels = PngChunk("tRNS", std::string("\0\x64", 2))};
  EXPECT_THAT(Channel(Png(3, 1, {0, 100, 255}, grey), 3), ElementsAre(65535, 0, 65535));
  const PngOptions rgb{.colour_type = 2,
                       .before_pixels = PngChunk("tRNS", std::string("\0\1\0\2\0\3", 6))};
  EXPECT_THAT(Channel(Png(2, 1, {1, 2, 3, 1, 2, 4}, rgb), 3), ElementsAre(0, 65535));
}

TEST(DecodePicture, ReadsInterlacedPng) {
  for (const auto& [width, height] : {std::pair{11, 9}, {1, 1}, {3, 1}, {1300, 2}}) {
    Bytes greys(std::size_t(width) * height);
    for (std::size_t i = 0; i < greys.size(); ++i) greys[i] = static_cast<std::uint8_t>(i % 251);
    EXPECT_EQ(Reds(Png(width, height, greys, {.interlaced = true})),
              Reds(Png(width, height, greys)))
        << width;
  }
}

TEST(DecodePicture, ReadsCmykJpegWithAndWithoutAdobesInversion) {
  // Full yellow, and nothing else, on all pixels.
  Bytes ink;
  for (int i = 0; i < 64; ++i) ink.insert(ink.end(), {0, 0, 255, 0});
  Bytes inverse = ink;
  for (std::uint8_t& sample : inverse) sample = 255 - sample;
  for (const std::string& jpeg : {Jpeg(8, 8, 4, inverse), Jpeg(8, 8, 4, ink, {.adobe = false})}) {
    const Picture picture = Decode(jpeg);
    ASSERT_EQ(picture.rgba.size(), 256U);
    EXPECT_GE(picture.rgba[0], 250 * 257);
    EXPECT_GE(picture.rgba[1], 250 * 257);
    EXPECT_LE(picture.rgba[2], 5 * 257);
  }
  // Half black takes half of every colour.
  Bytes grey;
  for (int i = 0; i < 64; ++i) grey.insert(grey.end(), {255, 255, 255, 128});
  EXPECT_THAT(Reds(Jpeg(8, 8, 4, grey)), Each(AllOf(Ge(125 * 257), Le(131 * 257))));
}

TEST(DecodePicture, NamesAnimatedWebpAndHowToTakeAFrame) {
  EXPECT_THAT(Rejection(AnimatedWebp(), absl::StatusCode::kUnimplemented),
              AllOf(HasSubstr("animated WebP"), HasSubstr("webpmux -get frame 1")));
}

// The pixels of a 3x2 picture: A B C above D E F, turned as each orientation demands.
TEST(DecodePicture, TurnsPicturesByTheirExifOrientation) {
  const std::map<int, Values> wanted = {
      {1, {1, 2, 3, 4, 5, 6}}, {2, {3, 2, 1, 6, 5, 4}}, {3, {6, 5, 4, 3, 2, 1}},
      {4, {4, 5, 6, 1, 2, 3}}, {5, {1, 4, 2, 5, 3, 6}}, {6, {4, 1, 5, 2, 6, 3}},
      {7, {6, 3, 5, 2, 4, 1}}, {8, {3, 6, 2, 5, 1, 4}}, {9, {1, 2, 3, 4, 5, 6}}};
  // JPEG is not exact, so its levels are far apart.
  Bytes blocks(48 * 32);
  for (int i = 0; i < 48 * 32; ++i)
    blocks[i] = static_cast<std::uint8_t>((i % 48 / 16 + i / 48 / 16 * 3) * 40 + 20);
  for (const auto& [orientation, levels] : wanted) {
    for (const bool big_endian : {false, true}) {
      const std::string exif = Exif(orientation, big_endian);
      SCOPED_TRACE(orientation);
      const std::string chunk = PngChunk("eXIf", exif);
      const Bytes greys = {1, 2, 3, 4, 5, 6};
      Values expected = levels;
      for (std::uint16_t& level : expected) level = static_cast<std::uint16_t>(level * 257);
      EXPECT_EQ(Reds(Png(3, 2, greys, {.before_pixels = chunk})), expected);
      EXPECT_EQ(Reds(Png(3, 2, greys, {.after_pixels = chunk})), expected);
      Bytes rgba;
      for (const std::uint8_t grey : greys) rgba.insert(rgba.end(), {grey, grey, grey, 255});
      EXPECT_EQ(Reds(Webp(3, 2, rgba, exif)), expected);

      const Picture jpeg = Decode(Jpeg(48, 32, 1, blocks, {.exif = {exif}}));
      EXPECT_EQ(jpeg.width, orientation >= 5 && orientation <= 8 ? 32 : 48);
      Values middles;
      for (int y = 8; y < jpeg.height; y += 16) {
        for (int x = 8; x < jpeg.width; x += 16) {
          const int level = jpeg.rgba[(std::size_t(y) * jpeg.width + x) * 4] / 257;
          middles.push_back(static_cast<std::uint16_t>((level - 20 + 20) / 40 + 1));
        }
      }
      EXPECT_EQ(middles, levels);
    }
  }
}

TEST(DecodePicture, TurnsByTheFirstExifSegmentOfAJpegOnly) {
  // Some programs append a second segment when they edit a picture; viewers read the first.
  const Bytes greys(16 * 8, 100);
  const auto width = [&](int first, int second) {
    return Decode(Jpeg(16, 8, 1, greys, {.exif = {Exif(first, true), Exif(second, false)}})).width;
  };
  EXPECT_EQ(width(6, 1), 8);
  EXPECT_EQ(width(1, 6), 16);
}

TEST(DecodePicture, TurnsByExifThatIsLongerThanAJpegSegment) {
  // The orientation is at the beginning; what follows may be a large preview.
  const std::string exif = Exif(6, true) + std::string(3'000'000, 'p');
  EXPECT_EQ(Decode(Png(3, 2, Bytes(6, 9), {.before_pixels = PngChunk("eXIf", exif)})).width, 2);
  EXPECT_EQ(Decode(Webp(3, 2, Bytes(24, 9), exif)).width, 2);
}

TEST(DecodePicture, ReadsJpegAndWebp) {
  for (const bool progressive : {false, true}) {
    const Values reds = Reds(Jpeg(16, 8, 1, Bytes(128, 180), {.progressive = progressive}));
    EXPECT_EQ(reds.size(), 128U);
    EXPECT_THAT(reds, Each(AllOf(Ge(177 * 257), Le(183 * 257))));
  }
  const std::string webp = Webp(2, 1, {10, 20, 30, 255, 200, 0, 0, 128});
  EXPECT_THAT(Channel(webp, 1), ElementsAre(20 * 257, 0));
  EXPECT_THAT(Channel(webp, 3), ElementsAre(65535, 128 * 257));
}

TEST(DecodePicture, ReadsEveryVariantOfPnm) {
  EXPECT_THAT(Reds("P1\n# a comment\n3 2\n0 1 0\n110"), ElementsAre(65535, 0, 65535, 0, 0, 65535));
  EXPECT_THAT(Reds("P2\n2 2\n15\n0 15\n5 # five\n10\n"), ElementsAre(0, 65535, 21845, 43690));
  EXPECT_THAT(Channel("P3 1 1 255 255 128 0", 1), ElementsAre(128 * 257));
  EXPECT_THAT(Reds("P4\n9 1\n" + std::string("\x7f\x80", 2)),
              ElementsAre(65535, 0, 0, 0, 0, 0, 0, 0, 0));
  EXPECT_THAT(Reds("P5 3 1 255\n" + std::string("\0\x64\xff", 3)), ElementsAre(0, 25700, 65535));
  EXPECT_THAT(Reds("P5\n1 1\n65535\n" + std::string("\x12\x34", 2)), ElementsAre(0x1234));
  EXPECT_THAT(Channel("P6 1 1 255\n\xff" + std::string("\x80\0", 2), 1), ElementsAre(128 * 257));
}

TEST(DecodePicture, RejectsBrokenPnm) {
  EXPECT_THAT(Rejection("P5 3 2 255\n12345"), HasSubstr("need 6 bytes, there are 5"));
  EXPECT_THAT(Rejection("P5 3 2 65535\n1234567"), HasSubstr("need 12 bytes"));
  EXPECT_THAT(Rejection("P4 9 2\n123"), HasSubstr("need 4 bytes"));
  for (const char* header : {"P5 3", "P5 3 2 99999 123456", "P5 -3 2 255 123456", "P5 3 2 255"})
    EXPECT_THAT(Rejection(header), HasSubstr("header"));
  EXPECT_THAT(Rejection("P5 0 2 255 "), HasSubstr("no pixels"));
  EXPECT_THAT(Rejection("P2 2 1 255 1 300"), HasSubstr("within 0 to 255"));
  EXPECT_THAT(Rejection("P2 2 1 255 17  "), HasSubstr("missing"));
  EXPECT_THAT(Rejection("P1 3 1 012"), HasSubstr("within 0 to 1"));
}

TEST(DecodePicture, RejectsEveryTruncation) {
  const Bytes noise = [] {
    Bytes bytes(24 * 24 * 4);
    unsigned state = 1;
    for (std::uint8_t& byte : bytes)
      byte = static_cast<std::uint8_t>((state = state * 1103515245 + 12345) >> 16);
    return bytes;
  }();
  const std::map<std::string, std::string> pictures = {
      {"PNG", Png(24, 24, noise, {.colour_type = 6})},
      {"JPEG", Jpeg(24, 24, 1, noise)},
      {"progressive JPEG", Jpeg(24, 24, 1, noise, {.progressive = true})},
      {"WebP", Webp(24, 24, noise)}};
  for (const auto& [format, bytes] : pictures) {
    SCOPED_TRACE(format);
    Decode(bytes);
    // A JPEG picture is complete before its last two bytes, which only say so.
    for (const std::size_t size : {std::size_t{13}, bytes.size() / 2, bytes.size() - 3})
      EXPECT_THAT(Rejection(bytes.substr(0, size)), HasSubstr("damaged")) << size;
  }
}

TEST(DecodePicture, RejectsPngWithAnyWrongChecksum) {
  const std::string png = Png(20, 20, Bytes(400, 7), {.before_pixels = PngChunk("tEXt", "a text")});
  Decode(png);
  for (const char* chunk : {"IHDR", "tEXt", "IDAT", "IEND"}) {
    std::string turned = png;
    const std::size_t at = turned.find(chunk);
    const std::size_t length = static_cast<unsigned char>(turned[at - 1]);
    turned[at + 4 + length + 3] = static_cast<char>(turned[at + 4 + length + 3] ^ 1);
    EXPECT_THAT(Rejection(turned), HasSubstr("CRC")) << chunk;
  }
}

TEST(DecodePicture, ErrorsShowNoControlCharacters) {
  const std::string message =
      Rejection(Png(20, 20, Bytes(400, 7), {.before_pixels = PngChunk("A\x1b[2", "")}));
  EXPECT_EQ(message.find('\x1b'), std::string::npos) << message;
}

TEST(DecodePicture, RejectsHugePicturesByTheirHeader) {
  std::string png = Png(20, 20, Bytes(400, 7));
  // The size is in the header, before its checksum.
  const std::string header("\0\1\x86\xa0\0\1\x86\xa0\x08\0\0\0\0", 13);
  png = png.substr(0, 8) + PngChunk("IHDR", header) + png.substr(8 + 25);
  EXPECT_THAT(Rejection(png), HasSubstr("100000x100000"));
  EXPECT_THAT(Rejection("P5\n60000 60000\n255\n"), HasSubstr("60000x60000"));
  EXPECT_THAT(Rejection("P5 99999999 99999999 255 "), HasSubstr("at most"));
}

TEST(DecodePicture, ReadsSidesAsLongAsPromisedAndNoLonger) {
  EXPECT_EQ(Decode(Png(65535, 1, Bytes(65535, 7))).width, kMaxPictureSide);
  EXPECT_THAT(Rejection(Png(65536, 1, Bytes(65536, 7))),
              AllOf(HasSubstr("65536x1;"), HasSubstr("65535 rows or columns")));
  // What libjpeg-turbo reads of the 65,535 that JPEG has room for.
  std::string jpeg = Jpeg(65500, 1, 1, Bytes(65500, 7));
  EXPECT_EQ(Decode(jpeg).width, 1024);
  const std::size_t header = jpeg.find("\xff\xc0");
  ASSERT_NE(header, std::string::npos);
  jpeg.replace(header + 7, 2, "\xff\xdd");  // 65,501 columns
  EXPECT_THAT(Rejection(jpeg), AllOf(HasSubstr("65501x1;"), HasSubstr("65500 rows or columns"),
                                     ::testing::Not(HasSubstr("damaged"))));
}

TEST(DecodePicture, SaysWhatMakesAHugeProgressiveJpegReadable) {
  std::string jpeg = Jpeg(16, 16, 4, Bytes(16 * 16 * 4), {.progressive = true});
  // The size in the header becomes 8192x8192, whose coefficients need 512 MiB.
  const std::size_t header = jpeg.find("\xff\xc2");
  ASSERT_NE(header, std::string::npos);
  jpeg.replace(header + 5, 4, std::string("\x20\0\x20\0", 4));
  EXPECT_THAT(Rejection(jpeg), AllOf(HasSubstr("256 MiB"), HasSubstr("jpegtran"),
                                     ::testing::Not(HasSubstr("damaged"))));
}

// Returns the most memory that this process has had, in bytes.
long PeakBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

// A few hundred bytes of a compressed text become a megabyte, and a file may have many of them.
TEST(DecodePictureDeathTest, DoesNotInflateTexts) {
  const std::string text = std::string("Comment\0\0", 9) + Deflate(std::string(1'000'000, 'a'));
  std::string texts;
  for (int i = 0; i < 200; ++i) texts += PngChunk("zTXt", text);
  const std::string png = Png(1, 1, {7}, {.before_pixels = texts});
  // In a process of its own, whose peak is what it has now.
  const auto decode = [&] {
    const long before = PeakBytes();
    const bool ok = DecodePicture("p", png).ok();
    std::exit(!ok ? 2 : PeakBytes() - before < 50'000'000 ? 0 : 1);
  };
  EXPECT_EXIT(decode(), ::testing::ExitedWithCode(0), "");
}

TEST(DecodePicture, ReducesLargePicturesWhileItReadsThem) {
  const int width = 2050;
  Bytes greys(std::size_t{width} * 3000);
  for (std::size_t i = 0; i < greys.size(); ++i) greys[i] = i % width < width / 2 ? 40 : 200;
  const std::map<std::string, std::string> pictures = {{"PNG", Png(width, 3000, greys)},
                                                       {"JPEG", Jpeg(width, 3000, 1, greys)}};
  for (const auto& [format, bytes] : pictures) {
    SCOPED_TRACE(format);
    const Picture picture = Decode(bytes);
    EXPECT_LE(picture.height, kMaxPictureSide);
    EXPECT_NEAR(picture.height * picture.scale, 3000, picture.scale);
    EXPECT_NEAR(picture.width * picture.scale, width, picture.scale);
    EXPECT_NEAR(picture.rgba[0] / 257, 40, 1);
    EXPECT_NEAR(picture.rgba[picture.rgba.size() - 4] / 257, 200, 1);
  }
}

TEST(DecodePicture, NamesFormatsThatItDoesNotReadAndWhatConvertsThem) {
  using std::string_literals::operator""s;
  const std::vector<std::array<std::string, 3>> formats = {
      {"\0\0\0\x18"
       "ftypheic\0\0\0\0mif1heic"s,
       "HEIC", "heif-convert"},
      {"\0\0\0\x1c"
       "ftypmif1\0\0\0\0mif1avif"s,
       "AVIF", "avifdec"},
      {"\0\0\0\x1c"
       "ftypavif\0\0\0\0"s,
       "AVIF", "avifdec"},
      {"\0\0\0\x1c"
       "ftypisom\0\0\0\0"s,
       "video", "ffmpeg"},
      {"II*\0\x08\0\0\0"s, "TIFF", "convert"},
      {"MM\0*\0\0\0\x08"s, "TIFF", "convert"},
      {"%PDF-1.7\n", "PDF", "pdftoppm"},
      {"GIF89a", "GIF", "convert"},
      {"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\1\0\0\0\1\0\0\0\1\0\x18\0"s, "BMP", "convert"},
      {"<?xml version='1.0'?>\n<!-- x -->\n<svg xmlns='http://www.w3.org/2000/svg'>", "SVG",
       "rsvg-convert"},
      {"\xef\xbb\xbf <svg>", "SVG", "rsvg-convert"},
      {"\xff\x0a\x12", "JPEG XL", "djxl"},
      {"\0\0\0\x0cjP  \r\n\x87\n"s, "JPEG 2000", "opj_decompress"},
      {"P7\nWIDTH 1\n", "PAM", "pamtopnm"},
      {"8BPS\0\1"s, "Photoshop", "convert"},
  };
  for (const auto& [bytes, name, command] : formats) {
    EXPECT_TRUE(IsPictureFormat(bytes)) << name;
    const std::string message = Rejection(bytes, absl::StatusCode::kUnimplemented);
    EXPECT_THAT(message, HasSubstr(name));
    EXPECT_THAT(message, HasSubstr(command));
  }
}

TEST(DecodePicture, SaysWhatIsNotAPicture) {
  for (const std::string& bytes :
       {std::string(), std::string("a text"), std::string(784, 'x'), std::string(4096, '\0'),
        std::string("BMW is a car, and this is a text of more than 26 bytes")}) {
    EXPECT_FALSE(IsPictureFormat(bytes));
    EXPECT_THAT(Rejection(bytes), HasSubstr("not a picture"));
  }
}

}  // namespace
}  // namespace hellocnn::client
