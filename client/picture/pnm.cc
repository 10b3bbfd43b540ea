// Decodes PNM: PBM, PGM and PPM, as text and binary.
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/picture/builder.h"
#include "client/picture/decoders.h"

namespace hellocnn::client::picture {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  std::size_t remaining() const { return bytes_.size() - position_; }
  int Byte() { return static_cast<unsigned char>(bytes_[position_++]); }

  // Returns a decimal number after white space and comments; -1 if there is none or it is over
  // 99,999,999.
  std::int64_t Number() {
    SkipToValue();
    std::int64_t number = -1;
    while (position_ < bytes_.size() && bytes_[position_] >= '0' && bytes_[position_] <= '9') {
      number = std::max<std::int64_t>(number, 0) * 10 + (Byte() - '0');
      if (number > 99'999'999) return -1;
    }
    return number;
  }

  // Returns the next 0 or 1, which nothing need separate from others; -1 if there is none.
  std::int64_t Bit() {
    SkipToValue();
    if (position_ >= bytes_.size()) return -1;
    const int byte = Byte();
    return byte == '0' || byte == '1' ? byte - '0' : -1;
  }

  // Skips the single white space between the header and binary pixels. Returns false if it is
  // missing.
  bool SkipSpace() {
    if (position_ >= bytes_.size() || !IsSpace()) return false;
    ++position_;
    return true;
  }

 private:
  bool IsSpace() const { return std::isspace(static_cast<unsigned char>(bytes_[position_])) != 0; }

  void SkipToValue() {
    for (; position_ < bytes_.size(); ++position_) {
      if (bytes_[position_] == '#') {
        while (position_ < bytes_.size() && bytes_[position_] != '\n') ++position_;
        if (position_ == bytes_.size()) return;
      } else if (!IsSpace()) {
        return;
      }
    }
  }

  std::string_view bytes_;
  std::size_t position_ = 2;  // after the magic
};

// What the header says.
struct Header {
  char variant = 0;  // '1' to '6'
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t top = 1;  // the value of full brightness

  bool is_text() const { return variant <= '3'; }
  bool is_bitmap() const { return variant == '1' || variant == '4'; }
  int channels() const { return variant == '3' || variant == '6' ? 3 : 1; }
  // Returns the least bytes that the pixels take.
  std::int64_t pixel_bytes() const {
    if (variant == '4') return (width + 7) / 8 * height;
    return width * height * channels() * (!is_text() && top > 255 ? 2 : 1);
  }
};

// Reads one row into `values`, channel by channel. Returns false if a value is missing or too
// large.
bool ReadRow(const Header& header, Reader& reader, std::vector<std::int64_t>& values) {
  int packed = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int64_t& value = values[i];
    if (header.variant == '4') {
      if (i % 8 == 0) packed = reader.Byte();
      value = packed >> (7 - i % 8) & 1;
    } else if (header.variant == '1') {
      value = reader.Bit();
    } else if (header.is_text()) {
      value = reader.Number();
    } else {
      value = reader.Byte();
      if (header.top > 255) value = value * 256 + reader.Byte();
    }
    if (value < 0 || value > header.top) return false;
    if (header.is_bitmap()) value = 1 - value;  // 1 is black
  }
  return true;
}

}  // namespace

bool IsPnm(std::string_view bytes) {
  return bytes.size() > 2 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
         (std::isspace(static_cast<unsigned char>(bytes[2])) != 0 || bytes[2] == '#');
}

absl::StatusOr<Picture> DecodePnm(const std::string& name, std::string_view bytes,
                                  std::int64_t max_pixels) {
  Header header{bytes[1]};
  Reader reader(bytes);
  header.width = reader.Number();
  header.height = reader.Number();
  if (!header.is_bitmap()) header.top = reader.Number();
  if (header.width < 0 || header.height < 0 || header.top < 1 || header.top > 65535 ||
      (!header.is_text() && !reader.SkipSpace())) {
    return Broken(name, "the PNM header is damaged");
  }
  if (absl::Status fits = CheckSize(name, header.width, header.height, max_pixels); !fits.ok())
    return fits;
  if (static_cast<std::int64_t>(reader.remaining()) < header.pixel_bytes()) {
    return Broken(name, absl::StrCat("the PNM picture ends early: ", header.width, "x",
                                     header.height, " pixels need ", header.pixel_bytes(),
                                     " bytes, there are ", reader.remaining()));
  }
  PictureBuilder builder(static_cast<int>(header.width), static_cast<int>(header.height), 1,
                         header.top > 255);
  std::vector<std::int64_t> values(header.width * header.channels());
  std::vector<std::uint16_t> row(header.width * 4, 0xFFFF);
  for (std::int64_t y = 0; y < header.height; ++y) {
    if (!ReadRow(header, reader, values)) {
      return Broken(name, absl::StrCat("a PNM pixel is missing or not within 0 to ", header.top));
    }
    for (std::int64_t x = 0; x < header.width; ++x) {
      for (int c = 0; c < 3; ++c) {
        const std::int64_t value = values[header.channels() == 1 ? x : x * 3 + c];
        row[x * 4 + c] = static_cast<std::uint16_t>((value * 65535 + header.top / 2) / header.top);
      }
    }
    builder.AddRow(row.data());
  }
  return std::move(builder).Finish(1);
}

}  // namespace hellocnn::client::picture
