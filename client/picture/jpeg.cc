// Decodes JPEG with libjpeg-turbo.
// jpeglib.h uses size_t and FILE, and does not include what declares them.
// clang-format off
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <algorithm>
#include <csetjmp>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/picture/builder.h"
#include "client/picture/decoders.h"

namespace hellocnn::client::picture {
namespace {

// A progressive picture is kept as a whole while it is decoded, with 2 bytes for each coefficient.
// libjpeg may use a little more for everything else.
constexpr long kMaxMemory = 256 << 20;
// Each scan costs a pass over the whole picture, and a scan may take a few bytes only. So there may
// be this many scans, and in all scans together this many times the most pixels of a picture. Usual
// pictures have about ten.
constexpr int kMaxScans = 200;
constexpr std::int64_t kMaxPasses = 16;
constexpr int kExif = JPEG_APP0 + 1;

// As in png.cc, all that owns memory is here, because libjpeg jumps out of functions.
struct Decoding {
  Decoding(const std::string& file, std::int64_t most_pixels)
      : name(file), max_pixels(most_pixels) {}
  Decoding(const Decoding&) = delete;
  Decoding& operator=(const Decoding&) = delete;
  ~Decoding() { jpeg_destroy_decompress(&jpeg); }

  const std::string& name;
  const std::int64_t max_pixels;
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf on_error;
  std::string error;
  absl::Status status;
  std::vector<std::uint8_t> bytes;  // a row as libjpeg gives it
  std::vector<std::uint16_t> rgba;  // the same row for the builder
  std::optional<PictureBuilder> builder;
  int orientation = 1;
};

absl::Status NeedsTooMuchMemory(const std::string& name) {
  return Broken(name, absl::StrCat("the JPEG picture is progressive, and needs more than ",
                                   kMaxMemory >> 20, " MiB as it is this large. Convert it: ",
                                   "jpegtran -outfile OUT.jpg IN (libjpeg-turbo-progs)"));
}

[[noreturn]] void Fail(j_common_ptr jpeg) {
  auto& decoding = *static_cast<Decoding*>(jpeg->client_data);
  if (jpeg->err->msg_code == JERR_NO_BACKING_STORE) {
    decoding.status = NeedsTooMuchMemory(decoding.name);
    std::longjmp(decoding.on_error, 1);
  }
  if (jpeg->err->msg_code == JERR_IMAGE_TOO_BIG) {
    const auto& header = *reinterpret_cast<j_decompress_ptr>(jpeg);
    decoding.status = CheckSize(decoding.name, header.image_width, header.image_height,
                                decoding.max_pixels, JPEG_MAX_DIMENSION);
    std::longjmp(decoding.on_error, 1);
  }
  char message[JMSG_LENGTH_MAX];
  (*jpeg->err->format_message)(jpeg, message);
  decoding.error = message;
  std::longjmp(decoding.on_error, 1);
}

// libjpeg calls missing and damaged pixels warnings, and fills them with grey.
void OnMessage(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  switch (jpeg->err->msg_code) {
    case JWRN_EXTRANEOUS_DATA:  // bytes between segments, which some cameras leave
    case JWRN_ADOBE_XFORM:
    case JWRN_JFIF_MAJOR:
    case JWRN_TOO_MUCH_DATA:
      return;
    default:
      Fail(jpeg);
  }
}

void OnProgress(j_common_ptr jpeg) {
  if (!jpeg->is_decompressor) return;
  const auto& header = *reinterpret_cast<j_decompress_ptr>(jpeg);
  auto& decoding = *static_cast<Decoding*>(jpeg->client_data);
  const std::int64_t pixels = std::int64_t{header.image_width} * header.image_height;
  const std::int64_t most =
      std::min<std::int64_t>(kMaxScans, kMaxPasses * decoding.max_pixels / pixels);
  if (header.input_scan_number <= most) return;
  decoding.error = absl::StrCat("it has more than ", most, " scans");
  std::longjmp(decoding.on_error, 1);
}

bool Begin(Decoding& decoding, std::string_view bytes) {
  jpeg_decompress_struct& jpeg = decoding.jpeg;
  jpeg_create_decompress(&jpeg);
  jpeg.client_data = &decoding;
  jpeg.progress = &decoding.progress;
  jpeg.mem->max_memory_to_use = kMaxMemory;
  jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(bytes.data()),
               static_cast<unsigned long>(bytes.size()));
  jpeg_save_markers(&jpeg, kExif, 0xFFFF);
  jpeg_read_header(&jpeg, TRUE);
  decoding.status =
      CheckSize(decoding.name, jpeg.image_width, jpeg.image_height, decoding.max_pixels);
  if (!decoding.status.ok()) return false;
  const bool is_cmyk = jpeg.jpeg_color_space == JCS_CMYK || jpeg.jpeg_color_space == JCS_YCCK;
  jpeg.out_color_space = is_cmyk                                  ? JCS_CMYK
                         : jpeg.jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE
                                                                  : JCS_RGB;
  // libjpeg reduces large pictures much faster than anything that sees their pixels.
  jpeg.scale_num = 1;
  jpeg.scale_denom = 1;
  const unsigned longer = std::max(jpeg.image_width, jpeg.image_height);
  while (jpeg.scale_denom < 8 && longer / (jpeg.scale_denom * 2) >= kMaxPictureSide)
    jpeg.scale_denom *= 2;
  for (jpeg_saved_marker_ptr marker = jpeg.marker_list; marker != nullptr; marker = marker->next) {
    const std::string_view data(reinterpret_cast<const char*>(marker->data), marker->data_length);
    if (data.substr(0, 4) != "Exif") continue;  // a segment of another kind, such as XMP
    decoding.orientation = ExifOrientation(data);
    break;  // viewers, too, read the first segment only
  }
  return true;
}

// Converts the row in `decoding.bytes`.
void ConvertRow(Decoding& decoding) {
  const jpeg_decompress_struct& jpeg = decoding.jpeg;
  const int channels = jpeg.output_components;
  for (std::size_t x = 0; x < jpeg.output_width; ++x) {
    const std::uint8_t* from = &decoding.bytes[x * channels];
    std::uint16_t* to = &decoding.rgba[x * 4];
    for (int c = 0; c < 3; ++c) {
      int value = from[channels == 1 ? 0 : c];
      if (channels == 4) {
        // Adobe's programs store the inverse of CMYK.
        const int black = jpeg.saw_Adobe_marker ? from[3] : 255 - from[3];
        value = (jpeg.saw_Adobe_marker ? value : 255 - value) * black / 255;
      }
      to[c] = static_cast<std::uint16_t>(value * 257);
    }
    to[3] = 0xFFFF;
  }
}

void ReadPixels(Decoding& decoding) {
  jpeg_decompress_struct& jpeg = decoding.jpeg;
  jpeg_start_decompress(&jpeg);
  decoding.builder.emplace(static_cast<int>(jpeg.output_width),
                           static_cast<int>(jpeg.output_height), jpeg.scale_denom, false);
  decoding.bytes.resize(std::size_t{jpeg.output_width} * jpeg.output_components);
  decoding.rgba.resize(std::size_t{jpeg.output_width} * 4);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = decoding.bytes.data();
    jpeg_read_scanlines(&jpeg, &row, 1);
    ConvertRow(decoding);
    decoding.builder->AddRow(decoding.rgba.data());
  }
  jpeg_finish_decompress(&jpeg);
}

// Returns true if the picture was decoded. Has no variables with destructors.
bool Decode(Decoding& decoding, std::string_view bytes) {
  if (setjmp(decoding.on_error) != 0) return false;
  if (!Begin(decoding, bytes)) return false;
  ReadPixels(decoding);
  return true;
}

}  // namespace

bool IsJpeg(std::string_view bytes) { return bytes.substr(0, 3) == "\xff\xd8\xff"; }

absl::StatusOr<Picture> DecodeJpeg(const std::string& name, std::string_view bytes,
                                   std::int64_t max_pixels) {
  Decoding decoding(name, max_pixels);
  decoding.jpeg.err = jpeg_std_error(&decoding.errors);
  decoding.jpeg.client_data = &decoding;
  decoding.errors.error_exit = Fail;
  decoding.errors.emit_message = OnMessage;
  decoding.progress.progress_monitor = OnProgress;
  if (Decode(decoding, bytes)) return std::move(*decoding.builder).Finish(decoding.orientation);
  if (!decoding.status.ok()) return decoding.status;
  return Broken(name, absl::StrCat("the JPEG picture is damaged: ", decoding.error));
}

}  // namespace hellocnn::client::picture
