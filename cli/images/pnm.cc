#include "cli/images/pnm.h"

#include <cctype>
#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "cli/images/decode.h"

namespace hellocnn::cli {
namespace {

class Reader {
 public:
  explicit Reader(const std::string& bytes) : bytes_(bytes) {}

  std::size_t remaining() const { return bytes_.size() - position_; }
  int Byte() { return static_cast<unsigned char>(bytes_[position_++]); }

  // Returns a decimal number after white space and comments. Returns -1 if there is none or it is
  // over 99,999,999.
  std::int64_t Number() {
    while (position_ < bytes_.size()) {
      if (bytes_[position_] == '#') {
        while (position_ < bytes_.size() && bytes_[position_] != '\n') ++position_;
      } else if (IsSpace()) {
        ++position_;
      } else {
        break;
      }
    }
    std::int64_t number = -1;
    while (position_ < bytes_.size() && bytes_[position_] >= '0' && bytes_[position_] <= '9') {
      number = (number < 0 ? 0 : number) * 10 + (Byte() - '0');
      if (number > 99'999'999) return -1;
    }
    return number;
  }

  // Skips the single white space that separates the header from binary pixels. Returns false if it
  // is missing.
  bool SkipSpace() {
    if (position_ >= bytes_.size() || !IsSpace()) return false;
    ++position_;
    return true;
  }

 private:
  bool IsSpace() const { return std::isspace(static_cast<unsigned char>(bytes_[position_])) != 0; }

  const std::string& bytes_;
  std::size_t position_ = 2;
};

}  // namespace

bool IsPnm(const std::string& bytes) {
  return bytes.size() > 2 && bytes[0] == 'P' &&
         (bytes[1] == '2' || bytes[1] == '5' || bytes[1] == '6') &&
         std::isspace(static_cast<unsigned char>(bytes[2])) != 0;
}

absl::StatusOr<Picture> DecodePnm(const std::string& name, const std::string& bytes) {
  const bool text = bytes[1] == '2';
  const std::int64_t channels = bytes[1] == '6' ? 3 : 1;
  Reader reader(bytes);
  const std::int64_t width = reader.Number();
  const std::int64_t height = reader.Number();
  const std::int64_t top = reader.Number();
  if (width < 1 || height < 1 || top < 1 || top > 65535 || (!text && !reader.SkipSpace())) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": the PNM header is broken"));
  }
  if (width > kMaxPixels / height) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": the picture is ", width, "x", height,
                                                   "; at most ", kMaxPixels, " pixels are read"));
  }
  const std::int64_t values = width * height * channels;
  const std::int64_t width_of_value = text ? 1 : (top > 255 ? 2 : 1);
  if (static_cast<std::int64_t>(reader.remaining()) < values * width_of_value) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": the PNM file ends early: ", width, "x",
                                                   height, " pixels need ", values * width_of_value,
                                                   " bytes, there are ", reader.remaining()));
  }
  Picture picture{static_cast<int>(width), static_cast<int>(height), {}, {}};
  picture.grey.resize(width * height);
  for (std::uint8_t& grey : picture.grey) {
    std::int64_t rgb[3] = {};
    for (int c = 0; c < channels; ++c) {
      if (text) {
        rgb[c] = reader.Number();
      } else {
        rgb[c] = reader.Byte();
        if (width_of_value == 2) rgb[c] = rgb[c] * 256 + reader.Byte();
      }
      if (rgb[c] < 0 || rgb[c] > top) {
        return absl::InvalidArgumentError(
            absl::StrCat(name, ": a PNM pixel is missing or not within 0 to ", top));
      }
    }
    // These are the weights of stb_image, so that a picture gives the same grey levels in either
    // format.
    const std::int64_t level =
        channels == 1 ? rgb[0] : (rgb[0] * 77 + rgb[1] * 150 + rgb[2] * 29) >> 8;
    grey = static_cast<std::uint8_t>((level * 255 + top / 2) / top);
  }
  return picture;
}

}  // namespace hellocnn::cli
