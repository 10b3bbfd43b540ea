#include <libexif/exif-data.h>

#include <cstddef>
#include <memory>
#include <string>

#include "client/picture/decoders.h"

namespace hellocnn::client::picture {
namespace {

constexpr std::string_view kStart{"Exif\0\0", 6};
// The most that a JPEG segment has room for. The orientation is near the beginning; previews follow
// it, which PNG and WebP have more room for.
constexpr std::size_t kMaxBytes = 0xFFFF;

}  // namespace

int ExifOrientation(std::string_view exif) {
  // libexif looks for the start, which PNG and WebP leave out.
  std::string bytes(exif.substr(0, kStart.size()) == kStart ? "" : kStart);
  bytes += exif.substr(0, kMaxBytes);
  const std::unique_ptr<ExifData, decltype(&exif_data_unref)> data(
      exif_data_new_from_data(reinterpret_cast<const unsigned char*>(bytes.data()),
                              static_cast<unsigned>(bytes.size())),
      &exif_data_unref);
  if (data == nullptr) return 1;
  const ExifEntry* entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (entry == nullptr || entry->format != EXIF_FORMAT_SHORT || entry->size < 2) return 1;
  const int orientation = exif_get_short(entry->data, exif_data_get_byte_order(data.get()));
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

}  // namespace hellocnn::client::picture
