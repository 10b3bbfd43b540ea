#include "benchmarks/pictures/jpeg.h"

// jpeglib.h uses size_t and FILE, and does not include what declares them.
// clang-format off
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
// clang-format on

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace hellocnn {

client::Picture ThroughJpeg(const client::Picture& picture, int quality) {
  jpeg_compress_struct jpeg;
  jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&jpeg, &bytes, &size);
  jpeg.image_width = static_cast<JDIMENSION>(picture.width);
  jpeg.image_height = static_cast<JDIMENSION>(picture.height);
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, quality, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  std::vector<std::uint8_t> row(static_cast<std::size_t>(picture.width) * 3);
  while (jpeg.next_scanline < jpeg.image_height) {
    const std::size_t first = std::size_t{jpeg.next_scanline} * picture.width;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::size_t at = (first + i / 3) * 4 + i % 3;
      row[i] = static_cast<std::uint8_t>(picture.rgba[at] / 257);
    }
    JSAMPROW rows = row.data();
    jpeg_write_scanlines(&jpeg, &rows, 1);
  }
  jpeg_finish_compress(&jpeg);
  absl::StatusOr<client::Picture> decoded =
      client::DecodePicture("JPEG", {reinterpret_cast<const char*>(bytes), size});
  jpeg_destroy_compress(&jpeg);
  std::free(bytes);
  return decoded.value();  // libjpeg-turbo decodes what it has encoded
}

}  // namespace hellocnn
