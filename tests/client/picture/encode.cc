#include "tests/client/picture/encode.h"

// clang-format off
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
// clang-format on
#include <gtest/gtest.h>
#include <webp/encode.h>
#include <webp/mux.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>

namespace hellocnn::testing {
namespace {

std::string BigEndian(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string LittleEndian(std::uint32_t value, int bytes) {
  const std::string text = BigEndian(value, bytes);
  return {text.rbegin(), text.rend()};
}

// Returns the rows as PNG packs them, each after a byte that says that it has no filter.
std::string Rows(int height, const Bytes& samples) {
  std::string rows;
  const std::size_t row_bytes = samples.size() / static_cast<std::size_t>(height);
  for (int y = 0; y < height; ++y) {
    rows += '\0';
    rows.append(reinterpret_cast<const char*>(samples.data()) + y * row_bytes, row_bytes);
  }
  return rows;
}

// Returns the same for the seven passes of an interlaced picture with one byte for a pixel.
std::string InterlacedRows(int width, int height, const Bytes& samples) {
  struct Pass {
    int left, top, step_x, step_y;
  };
  std::string rows;
  for (const auto& [left, top, step_x, step_y] :
       {Pass{0, 0, 8, 8}, Pass{4, 0, 8, 8}, Pass{0, 4, 4, 8}, Pass{2, 0, 4, 4}, Pass{0, 2, 2, 4},
        Pass{1, 0, 2, 2}, Pass{0, 1, 1, 2}}) {
    for (int y = top; y < height && left < width; y += step_y) {
      rows += '\0';
      for (int x = left; x < width; x += step_x)
        rows += static_cast<char>(samples[std::size_t(y) * width + x]);
    }
  }
  return rows;
}

}  // namespace

std::string PngChunk(const std::string& type, const std::string& content) {
  const std::string checked = type + content;
  const auto sum = static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size())));
  return BigEndian(static_cast<std::uint32_t>(content.size()), 4) + checked + BigEndian(sum, 4);
}

std::string Deflate(const std::string& text) {
  uLongf size = compressBound(text.size());
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size,
           reinterpret_cast<const Bytef*>(text.data()), text.size());
  packed.resize(size);
  return packed;
}

std::string Png(int width, int height, const Bytes& samples, const PngOptions& options) {
  std::string header = BigEndian(width, 4) + BigEndian(height, 4);
  header += static_cast<char>(options.bits);
  header += static_cast<char>(options.colour_type);
  header += std::string(2, '\0');
  header += static_cast<char>(options.interlaced ? 1 : 0);
  const std::string rows =
      options.interlaced ? InterlacedRows(width, height, samples) : Rows(height, samples);
  return "\x89PNG\r\n\x1a\n" + PngChunk("IHDR", header) + options.before_pixels +
         PngChunk("IDAT", Deflate(rows)) + options.after_pixels + PngChunk("IEND", "");
}

std::string Jpeg(int width, int height, int channels, const Bytes& samples,
                 const JpegOptions& options) {
  jpeg_compress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &bytes, &size);
  jpeg.image_width = width;
  jpeg.image_height = height;
  jpeg.input_components = channels;
  jpeg.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 95, TRUE);
  if (!options.adobe) jpeg.write_Adobe_marker = FALSE;
  if (options.progressive) jpeg_simple_progression(&jpeg);
  jpeg_start_compress(&jpeg, TRUE);
  for (const std::string& exif : options.exif) {
    const std::string content = std::string("Exif\0\0", 6) + exif;
    jpeg_write_marker(&jpeg, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(content.data()),
                      static_cast<unsigned>(content.size()));
  }
  while (jpeg.next_scanline < jpeg.image_height) {
    auto* row = const_cast<JSAMPROW>(&samples[std::size_t{jpeg.next_scanline} * width * channels]);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  std::string result(reinterpret_cast<char*>(bytes), size);
  jpeg_destroy_compress(&jpeg);
  std::free(bytes);
  return result;
}

std::string Webp(int width, int height, const Bytes& samples, const std::string& exif) {
  std::uint8_t* encoded = nullptr;
  const std::size_t size =
      WebPEncodeLosslessRGBA(samples.data(), width, height, width * 4, &encoded);
  EXPECT_GT(size, 0U);
  std::string result(reinterpret_cast<char*>(encoded), size);
  WebPFree(encoded);
  if (exif.empty()) return result;
  const WebPData picture{reinterpret_cast<const std::uint8_t*>(result.data()), result.size()};
  const WebPData data{reinterpret_cast<const std::uint8_t*>(exif.data()), exif.size()};
  WebPMux* mux = WebPMuxCreate(&picture, 1);
  WebPMuxSetChunk(mux, "EXIF", &data, 1);
  WebPData assembled;
  EXPECT_EQ(WebPMuxAssemble(mux, &assembled), WEBP_MUX_OK);
  std::string whole(reinterpret_cast<const char*>(assembled.bytes), assembled.size);
  WebPDataClear(&assembled);
  WebPMuxDelete(mux);
  return whole;
}

std::string AnimatedWebp() {
  WebPAnimEncoder* encoder = WebPAnimEncoderNew(8, 8, nullptr);
  for (int frame = 0; frame < 2; ++frame) {
    WebPPicture picture;
    WebPPictureInit(&picture);
    picture.use_argb = 1;
    picture.width = 8;
    picture.height = 8;
    EXPECT_NE(WebPPictureAlloc(&picture), 0);
    std::fill_n(picture.argb, 64, frame == 0 ? 0xFFFFFFFFU : 0xFF000000U);
    EXPECT_NE(WebPAnimEncoderAdd(encoder, &picture, frame * 100, nullptr), 0);
    WebPPictureFree(&picture);
  }
  WebPAnimEncoderAdd(encoder, nullptr, 200, nullptr);
  WebPData data;
  WebPDataInit(&data);
  EXPECT_NE(WebPAnimEncoderAssemble(encoder, &data), 0);
  std::string bytes(reinterpret_cast<const char*>(data.bytes), data.size);
  WebPDataClear(&data);
  WebPAnimEncoderDelete(encoder);
  return bytes;
}

std::string Exif(int orientation, bool big_endian) {
  const auto number = [&](std::uint32_t value, int bytes) {
    return big_endian ? BigEndian(value, bytes) : LittleEndian(value, bytes);
  };
  constexpr int kOrientation = 0x0112;
  constexpr int kShort = 3;
  return (big_endian ? "MM" : "II") + number(42, 2) + number(8, 4) + number(1, 2) +
         number(kOrientation, 2) + number(kShort, 2) + number(1, 4) + number(orientation, 2) +
         number(0, 2) + number(0, 4);
}

}  // namespace hellocnn::testing
