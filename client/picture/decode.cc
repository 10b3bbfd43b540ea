#include "absl/strings/str_cat.h"
#include "client/picture/builder.h"
#include "client/picture/decoders.h"
#include "hellocnn/client/picture.h"

namespace hellocnn::client {

bool IsPictureFormat(std::string_view bytes) {
  return picture::IsPng(bytes) || picture::IsJpeg(bytes) || picture::IsWebp(bytes) ||
         picture::IsPnm(bytes) || !picture::DescribeOtherFormat(bytes).empty();
}

absl::StatusOr<Picture> DecodePicture(const std::string& name, std::string_view bytes,
                                      std::int64_t max_pixels) {
  if (picture::IsPng(bytes)) return picture::DecodePng(name, bytes, max_pixels);
  if (picture::IsJpeg(bytes)) return picture::DecodeJpeg(name, bytes, max_pixels);
  if (picture::IsWebp(bytes)) return picture::DecodeWebp(name, bytes, max_pixels);
  if (picture::IsPnm(bytes)) return picture::DecodePnm(name, bytes, max_pixels);
  if (bytes.empty()) return picture::Broken(name, "this is not a picture: the file is empty");
  if (const std::string other = picture::DescribeOtherFormat(bytes); !other.empty())
    return absl::UnimplementedError(absl::StrCat(name, ": ", other));
  return picture::Broken(name,
                         "this is not a picture: it begins as no PNG, JPEG, WebP or PNM file does");
}

}  // namespace hellocnn::client
