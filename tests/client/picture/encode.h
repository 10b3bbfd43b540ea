// Encodes pictures for tests, sound ones and broken ones.
#ifndef HELLOCNN_TESTS_CLIENT_PICTURE_ENCODE_H_
#define HELLOCNN_TESTS_CLIENT_PICTURE_ENCODE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace hellocnn::testing {

using Bytes = std::vector<std::uint8_t>;

// Returns one PNG chunk with its checksum.
std::string PngChunk(const std::string& type, const std::string& content);

// Returns the text, compressed as zlib does.
std::string Deflate(const std::string& text);

struct PngOptions {
  int bits = 8;
  int colour_type = 0;        // 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA
  std::string before_pixels;  // chunks
  std::string after_pixels;
  bool interlaced = false;  // only with one byte for a pixel
};

// Returns a PNG picture. `samples` are those of all rows, in the file's byte order.
std::string Png(int width, int height, const Bytes& samples, const PngOptions& options = {});

struct JpegOptions {
  std::vector<std::string> exif;  // a segment for each, without the leading "Exif\0\0"
  bool progressive = false;
  bool adobe = true;  // with CMYK: samples are inverse, and a segment says that Adobe wrote them
};

// Returns a JPEG picture of `channels`: 1 grey, 3 RGB, 4 CMYK.
std::string Jpeg(int width, int height, int channels, const Bytes& samples,
                 const JpegOptions& options = {});

// Returns a lossless WebP picture of RGBA samples.
std::string Webp(int width, int height, const Bytes& samples, const std::string& exif = "");

// Returns an animated WebP picture of two frames, 8x8 pixels each.
std::string AnimatedWebp();

// Returns EXIF data with this orientation, in either byte order, without the leading "Exif\0\0".
std::string Exif(int orientation, bool big_endian);

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_CLIENT_PICTURE_ENCODE_H_
