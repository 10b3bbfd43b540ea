// Makes images for the network out of pictures as people have them: files, scans, photos.
//
//   std::string bytes;  // of the file
//   absl::StatusOr<ModelInfo> model = client.GetModel();
//   absl::StatusOr<Picture> picture = DecodePicture("six.jpg", bytes);
//   if (!model.ok() || !picture.ok()) return;
//   absl::StatusOr<PreparedPicture> prepared = Prepare(*picture, model->preprocessing);
//   if (!prepared.ok()) return;
//   if (prepared->finding != Finding::kDigit) {
//     std::cerr << prepared->explanation << "\n";
//     return;
//   }
//   absl::StatusOr<Image> image = Image::Gray8(prepared->grey);
//   if (!image.ok()) return;
//   absl::StatusOr<ClassifyResult> result = client.Classify({*image});
//   if (result.ok()) std::cout << result->predictions[0].label << "\n";
//
// Link hellocnn::picture, which needs libjpeg-turbo, libpng, libwebp and libexif. All functions are
// thread-safe, wait for nothing, and use only the caller's thread.
#ifndef HELLOCNN_CLIENT_PICTURE_H_
#define HELLOCNN_CLIENT_PICTURE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/client/client_types.h"

namespace hellocnn::client {

// The most pixels of a picture that DecodePicture reads; 64 megapixels are what the largest phone
// cameras in common use give. Interlaced PNG and WebP may have half as many. No picture may have
// more than 65,535 rows or columns; JPEG is read up to 65,500. Larger pictures are rejected when
// their header is read, before memory is taken for their pixels.
inline constexpr std::int64_t kMaxPicturePixels = std::int64_t{1} << 26;

// The most rows and the most columns of a decoded picture. DecodePicture reduces larger pictures
// and keeps their proportions, up to a pixel.
inline constexpr int kMaxPictureSide = 1024;

// A decoded picture, the right way up. Programs may also fill it themselves, in any size.
struct Picture {
  int width = 0;   // columns, after reduction
  int height = 0;  // rows, after reduction
  // [height, width, 4]: red, green, blue, alpha; 0 to 65,535, as the file encodes them. The colours
  // are not multiplied by alpha.
  std::vector<std::uint16_t> rgba;
  double scale = 1;  // rows of the file for each row here, >= 1
  // True: the file has more than 8 bits for a value, so that much fainter ink is told from noise.
  bool more_than_8_bits = false;
};

// Returns true if DecodePicture knows a format that begins as `bytes` do, whether it can decode the
// format or only name it.
bool IsPictureFormat(std::string_view bytes);

// Decodes a PNG, JPEG, WebP or PNM file (P1 to P6) in memory; the content tells which. EXIF
// orientation is applied. `name` stands for the file in messages.
//
// Takes at most 48 MiB beside `bytes`, whatever the size of the picture, and 256 MiB more for
// interlaced PNG, progressive JPEG and WebP, which cannot be decoded row by row.
//
// A program that decodes what others send may want less: with `max_pixels`, larger pictures are
// rejected as those above kMaxPicturePixels are.
//
// INVALID_ARGUMENT: the bytes are not a picture, or are damaged or cut off; or the picture is
// larger than these numbers allow, or needs more memory than that. UNIMPLEMENTED: the bytes
// are a picture that is not read, such as HEIC, TIFF or an animation; the message names the format
// and the command that converts it. RESOURCE_EXHAUSTED: libpng got no memory for its state.
absl::StatusOr<Picture> DecodePicture(const std::string& name, std::string_view bytes,
                                      std::int64_t max_pixels = kMaxPicturePixels);

// How a picture becomes the content of the network's input.
enum class Fit {
  kMnist,  // as MNIST was made: the digit is found, scaled to 20 of 28 rows, and centred by mass
  kAsIs,   // the whole picture is scaled; the finding is always kDigit
};

struct PrepareOptions {
  Fit fit = Fit::kMnist;
  // True: the ink is darker than its background, and transparent parts become white. False: with
  // kAsIs, the ink is lighter than its background, and transparent parts become black; with kMnist,
  // the preparation sees by itself which is lighter.
  bool dark_ink = false;
};

// What a preparation found.
enum class Finding {
  kDigit,    // something that may be a digit
  kNothing,  // nothing to see: blank, too faint or too small
  kSeveral,  // more than one digit
};

struct PreparedPicture {
  Finding finding = Finding::kDigit;
  std::string explanation;  // empty for kDigit; else a sentence without the name of the picture
  // The 1,024 grey levels that the network sees, light on dark. For kNothing, all are 0; for
  // kSeveral, all the digits are in it.
  std::vector<std::uint8_t> grey;
};

// Prepares a picture for the model. Takes a few tens of milliseconds.
//
// INVALID_ARGUMENT: the picture has no pixels, or its values are not 4 for each pixel; or
// `preprocessing` wants a content of less than 1 or more than 32 rows, or content and padding that
// do not make 32 rows together.
absl::StatusOr<PreparedPicture> Prepare(const Picture& picture, const Preprocessing& preprocessing,
                                        const PrepareOptions& options = {});

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_PICTURE_H_
