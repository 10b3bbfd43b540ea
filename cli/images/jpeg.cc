#include "cli/images/jpeg.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace hellocnn::cli {
namespace {

constexpr int kMaxCodes = 256;
constexpr std::size_t kLengths = 16;  // lengths of codes, 1 to 16 bits
constexpr std::uint8_t kHuffmanTables = 0xC4;
constexpr std::uint8_t kEnd = 0xD9;

// Returns the byte at `at`. Bytes past the end are 0, as they are for stb_image.
std::uint8_t ByteAt(const std::string& bytes, std::size_t at) {
  return at < bytes.size() ? static_cast<std::uint8_t>(bytes[at]) : 0;
}

// Returns the number of codes of the first table with too many in the segment whose tables are
// from `at` to `end`, or 0.
int TooManyCodes(const std::string& bytes, std::size_t at, std::size_t end) {
  while (at < end) {
    int codes = 0;
    for (std::size_t i = 1; i <= kLengths; ++i) codes += ByteAt(bytes, at + i);
    if (codes > kMaxCodes) return codes;
    at += 1 + kLengths + static_cast<std::size_t>(codes);
  }
  return 0;
}

// Returns true for markers without content: restart markers, the start of the image, and an escaped
// 0xFF in the pixels.
bool StandsAlone(std::uint8_t marker) { return marker == 0 || (marker >= 0xD0 && marker <= 0xD8); }

}  // namespace

absl::Status CheckHuffmanTables(const std::string& name, const std::string& bytes) {
  std::size_t at = 0;
  while (true) {
    // Bytes between segments, such as pixels, have no unescaped 0xFF.
    at = bytes.find('\xff', at);
    if (at == std::string::npos) return absl::OkStatus();
    while (ByteAt(bytes, at) == 0xFF) ++at;
    const std::uint8_t marker = ByteAt(bytes, at++);
    if (marker == kEnd) return absl::OkStatus();
    if (StandsAlone(marker)) continue;
    const std::size_t size = std::size_t{ByteAt(bytes, at)} << 8 | ByteAt(bytes, at + 1);
    if (marker == kHuffmanTables) {
      const int codes = TooManyCodes(bytes, at + 2, at + size);
      if (codes > 0) {
        return absl::InvalidArgumentError(absl::StrCat(name, ": the JPEG has a Huffman table of ",
                                                       codes, " codes; at most ", kMaxCodes));
      }
    }
    at += size;
  }
}

}  // namespace hellocnn::cli
