#include "base/shown.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace hellocnn {
namespace {

std::string Escaped(std::string_view bytes) {
  return absl::CHexEscape(absl::string_view(bytes.data(), bytes.size()));
}

// Returns the length of the UTF-8 character that `text` begins with, and sets `character` to it.
// Returns 0 if there is none.
std::size_t ReadCharacter(std::string_view text, char32_t& character) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = byte(0) < 0x80             ? 1
                             : (byte(0) & 0xE0) == 0xC0 ? 2
                             : (byte(0) & 0xF0) == 0xE0 ? 3
                             : (byte(0) & 0xF8) == 0xF0 ? 4
                                                        : 0;
  if (length == 0 || length > text.size()) return 0;
  character = length == 1 ? byte(0) : byte(0) & (0x7F >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    character = character << 6 | (byte(i) & 0x3F);
  }
  // The longer forms of characters are not valid; a decoder may take them for control characters.
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = character >= 0xD800 && character <= 0xDFFF;
  return character >= kLeast[length] && character <= 0x10FFFF && !is_surrogate ? length : 0;
}

bool IsOnlyText(char32_t character) {
  const bool control = character < 0x20 || (character >= 0x7F && character <= 0x9F);
  const bool line_end = character == 0x2028 || character == 0x2029;
  const bool direction = character == 0x061C || character == 0x200E || character == 0x200F ||
                         (character >= 0x202A && character <= 0x202E) ||
                         (character >= 0x2066 && character <= 0x2069);
  return !control && !line_end && !direction;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable;
  while (!text.empty()) {
    char32_t character = 0;
    const std::size_t length = ReadCharacter(text, character);
    const std::string_view bytes = text.substr(0, length == 0 ? 1 : length);
    printable += length > 0 && IsOnlyText(character) ? std::string(bytes) : Escaped(bytes);
    text.remove_prefix(bytes.size());
  }
  return printable;
}

std::string Shown(std::string_view text, std::size_t max_bytes) {
  const std::string_view start = text.substr(0, max_bytes);
  return absl::StrCat(Escaped(start), start.size() < text.size() ? "…" : "");
}

}  // namespace hellocnn
