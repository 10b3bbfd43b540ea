// Decodes PNG with libpng.
#include <png.h>

#include <algorithm>
#include <bit>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "client/picture/builder.h"
#include "client/picture/decoders.h"

namespace hellocnn::client::picture {
namespace {

// What libpng works on. libpng reports an error by jumping back, which skips destructors, so that
// everything that owns memory is here and not on the stack of a function that is jumped out of.
struct Decoding {
  Decoding(const std::string& file, std::string_view data, std::int64_t most_pixels)
      : name(file), bytes(data), max_pixels(most_pixels) {}
  Decoding(const Decoding&) = delete;
  Decoding& operator=(const Decoding&) = delete;
  ~Decoding() { png_destroy_read_struct(&png, &info, nullptr); }

  const std::string& name;
  std::string_view bytes;  // that are not read yet
  const std::int64_t max_pixels;
  png_structp png = nullptr;
  png_infop info = nullptr;
  std::jmp_buf on_error;
  std::string error;
  absl::Status status;
  std::vector<std::uint16_t> pixels;  // a row, or the whole picture if it is interlaced
  std::optional<PictureBuilder> builder;
  int orientation = 1;
};

void Read(png_structp png, png_bytep to, std::size_t count) {
  auto& decoding = *static_cast<Decoding*>(png_get_io_ptr(png));
  if (count > decoding.bytes.size()) png_error(png, "the file ends early");
  std::memcpy(to, decoding.bytes.data(), count);
  decoding.bytes.remove_prefix(count);
}

[[noreturn]] void Fail(png_structp png, png_const_charp message) {
  auto& decoding = *static_cast<Decoding*>(png_get_error_ptr(png));
  // The message may quote the name of a chunk from the file.
  decoding.error = absl::CHexEscape(message);
  std::longjmp(decoding.on_error, 1);
}

void IgnoreWarning(png_structp /*png*/, png_const_charp /*message*/) {}

// Reads the header. Returns false if the size is not one that is decoded.
bool Begin(Decoding& decoding) {
  png_structp png = decoding.png;
  png_set_read_fn(png, &decoding, Read);
  png_set_user_limits(png, 0x7fffffff, 0x7fffffff);  // CheckSize has a better message
  // Texts and unknown chunks are skipped: a file could have many that inflate to a lot of memory.
  png_set_chunk_cache_max(png, 1);
  // A wrong checksum is an error also in chunks that hold no pixels.
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_read_info(png, decoding.info);
  const png_uint_32 width = png_get_image_width(png, decoding.info);
  const png_uint_32 height = png_get_image_height(png, decoding.info);
  const bool interlaced = png_get_interlace_type(png, decoding.info) != PNG_INTERLACE_NONE;
  decoding.status =
      CheckSize(decoding.name, width, height,
                interlaced ? std::min(decoding.max_pixels, kMaxWholePixels) : decoding.max_pixels);
  if (!decoding.status.ok()) return false;
  decoding.builder.emplace(static_cast<int>(width), static_cast<int>(height), 1,
                           png_get_bit_depth(png, decoding.info) > 8);
  // Everything becomes red, green, blue and alpha of 16 bits.
  png_set_expand_16(png);
  png_set_gray_to_rgb(png);
  png_set_add_alpha(png, 0xFFFF, PNG_FILLER_AFTER);
  if (std::endian::native == std::endian::little) png_set_swap(png);
  return true;
}

void ReadPixels(Decoding& decoding) {
  png_structp png = decoding.png;
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, decoding.info);
  const std::size_t width = png_get_image_width(png, decoding.info);
  const std::size_t height = png_get_image_height(png, decoding.info);
  decoding.pixels.assign(width * 4 * (passes > 1 ? height : 1), 0);
  for (int pass = 0; pass < passes; ++pass) {
    for (std::size_t y = 0; y < height; ++y) {
      std::uint16_t* row = &decoding.pixels[passes > 1 ? y * width * 4 : 0];
      png_read_row(png, reinterpret_cast<png_bytep>(row), nullptr);
      if (pass == passes - 1) decoding.builder->AddRow(row);
    }
  }
  png_read_end(png, decoding.info);
  png_uint_32 size = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(png, decoding.info, &size, &exif) != 0)
    decoding.orientation = ExifOrientation({reinterpret_cast<const char*>(exif), size});
}

// Returns true if the picture was decoded. Has no variables with destructors, because libpng may
// jump out of it.
bool Decode(Decoding& decoding) {
  if (setjmp(decoding.on_error) != 0) return false;
  if (!Begin(decoding)) return false;
  ReadPixels(decoding);
  return true;
}

}  // namespace

bool IsPng(std::string_view bytes) { return bytes.substr(0, 4) == "\x89PNG"; }

absl::StatusOr<Picture> DecodePng(const std::string& name, std::string_view bytes,
                                  std::int64_t max_pixels) {
  Decoding decoding(name, bytes, max_pixels);
  decoding.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoding, Fail, IgnoreWarning);
  if (decoding.png != nullptr) decoding.info = png_create_info_struct(decoding.png);
  if (decoding.info == nullptr) return absl::ResourceExhaustedError(name + ": out of memory");
  if (Decode(decoding)) return std::move(*decoding.builder).Finish(decoding.orientation);
  if (!decoding.status.ok()) return decoding.status;
  return Broken(name, absl::StrCat("the PNG picture is damaged: ", decoding.error));
}

}  // namespace hellocnn::client::picture
