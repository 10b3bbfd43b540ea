// The decoders of the formats, and what they have in common. Each returns the errors of
// DecodePicture, `name` stands for the file in messages, and pictures with more than `max_pixels`
// pixels are rejected, or with fewer if the format has a lower bound of its own.
#ifndef HELLOCNN_CLIENT_PICTURE_DECODERS_H_
#define HELLOCNN_CLIENT_PICTURE_DECODERS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "hellocnn/client/picture.h"

namespace hellocnn::client::picture {

bool IsPng(std::string_view bytes);
absl::StatusOr<Picture> DecodePng(const std::string& name, std::string_view bytes,
                                  std::int64_t max_pixels);

bool IsJpeg(std::string_view bytes);
absl::StatusOr<Picture> DecodeJpeg(const std::string& name, std::string_view bytes,
                                   std::int64_t max_pixels);

bool IsWebp(std::string_view bytes);
absl::StatusOr<Picture> DecodeWebp(const std::string& name, std::string_view bytes,
                                   std::int64_t max_pixels);

// PBM, PGM and PPM, as text (P1, P2, P3) and binary (P4, P5, P6).
bool IsPnm(std::string_view bytes);
absl::StatusOr<Picture> DecodePnm(const std::string& name, std::string_view bytes,
                                  std::int64_t max_pixels);

// Returns the orientation in EXIF data, 1 to 8, of which only the first 65,535 bytes are read. The
// data may begin with "Exif\0\0" or without it. Returns 1 if they are broken, or hold no
// orientation or one out of range.
int ExifOrientation(std::string_view exif);

// Returns a sentence for error messages, without the name of the file: "this is a TIFF picture,
// which is not read; … Convert it: convert 'IN[0]' OUT.png (imagemagick)". Returns "" if `bytes` do
// not begin as a format that is known and not read; formats that are read are not known here.
std::string DescribeOtherFormat(std::string_view bytes);

}  // namespace hellocnn::client::picture

#endif  // HELLOCNN_CLIENT_PICTURE_DECODERS_H_
