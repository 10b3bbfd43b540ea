// Pictures that stb_image decodes, PNG and JPEG. Input: a byte, odd to invert, and the file.
#include "cli/images/decode.h"
#include "fuzz/check.h"
#include "fuzz/picture_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hellocnn;
  if (size < 1) return 0;
  const bool invert = (data[0] & 1) != 0;
  const std::string bytes = fuzz::AsString(data + 1, size - 1);
  const absl::StatusOr<cli::Picture> picture = cli::DecodePicture("the file", bytes, invert);
  fuzz::CheckPicture(picture, "the file");
  if (picture.ok()) cli::LooksDarkOnLight(*picture);
  return 0;
}
