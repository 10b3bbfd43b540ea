// Pictures of every format, and their preparation for the network. Input: a byte of options, and
// the file.
//
// A few kilobytes can hold a picture of many million pixels, which takes seconds. Such files are
// skipped, because they are decoded by the same code as small ones. What is too large to be read at
// all is not skipped.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "fuzz/check.h"
#include "fuzz/picture_check.h"
#include "hellocnn/client/picture.h"

namespace {

using namespace hellocnn;

// Also enough for long pictures that are reduced: when they are decoded, with more than
// kMaxPictureSide columns, or when they are analysed.
constexpr std::uint64_t kMostPixels = std::uint64_t{1} << 13;

// Returns the number in `count` bytes at `at`, the most significant or the least significant first;
// 0 if there are not so many bytes.
std::uint64_t BigEndian(std::string_view file, std::size_t at, std::size_t count) {
  if (at + count > file.size()) return 0;
  std::uint64_t number = 0;
  for (const char byte : file.substr(at, count))
    number = number << 8 | static_cast<std::uint8_t>(byte);
  return number;
}
std::uint64_t LittleEndian(std::string_view file, std::size_t at, std::size_t count) {
  if (at + count > file.size()) return 0;
  std::uint64_t number = 0;
  for (std::size_t i = count; i > 0; --i)
    number = number << 8 | static_cast<std::uint8_t>(file[at + i - 1]);
  return number;
}

// Returns the size of the largest frame whose header is somewhere in a JPEG file.
std::uint64_t JpegPixels(std::string_view file) {
  std::uint64_t most = 0;
  for (std::size_t at = 0; at + 1 < file.size(); ++at) {
    const auto marker = static_cast<std::uint8_t>(file[at + 1]);
    if (file[at] != '\xff' || marker < 0xC0 || marker > 0xCF) continue;
    most = std::max(most, BigEndian(file, at + 5, 2) * BigEndian(file, at + 7, 2));
  }
  return most;
}

std::uint64_t WebpPixels(std::string_view file) {
  const std::string_view chunk = file.substr(std::min(file.size(), std::size_t{12}), 4);
  if (chunk == "VP8X") return (LittleEndian(file, 24, 3) + 1) * (LittleEndian(file, 27, 3) + 1);
  if (chunk == "VP8L") {
    const std::uint64_t sides = LittleEndian(file, 21, 4);
    return ((sides & 0x3FFF) + 1) * ((sides >> 14 & 0x3FFF) + 1);
  }
  return (LittleEndian(file, 26, 2) & 0x3FFF) * (LittleEndian(file, 28, 2) & 0x3FFF);
}

// Returns the number of pixels that the file says it has. PNM files hold every pixel, so they are
// small.
std::uint64_t DeclaredPixels(std::string_view file) {
  if (file.starts_with("\x89PNG")) return BigEndian(file, 16, 4) * BigEndian(file, 20, 4);
  if (file.starts_with("\xff\xd8\xff")) return JpegPixels(file);
  if (file.starts_with("RIFF")) return WebpPixels(file);
  return 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const client::PrepareOptions options{
      .fit = (data[0] & 2) != 0 ? client::Fit::kAsIs : client::Fit::kMnist,
      .dark_ink = (data[0] & 1) != 0};
  const std::string bytes = fuzz::AsString(data + 1, size - 1);
  const std::uint64_t pixels = DeclaredPixels(bytes);
  if (pixels > kMostPixels && pixels <= std::uint64_t{client::kMaxPicturePixels})
    return -1;  // not to be kept
  const absl::StatusOr<client::Picture> picture = client::DecodePicture("the file", bytes);
  fuzz::CheckPicture(picture, "the file");
  if (picture.ok()) fuzz::CheckPreparation(*picture, options);
  return 0;
}
