#include "fuzz/check.h"

#include <cstdio>
#include <cstdlib>

#include "absl/strings/escaping.h"

namespace hellocnn::fuzz {
namespace {

constexpr std::size_t kMaxMessageBytes = 4096;

// Returns the length of the character at the start of `text`, or 0 if it is not UTF-8 or is a
// control character.
std::size_t PrintableCharacter(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  if (byte(0) < 0x80) return byte(0) >= 0x20 && byte(0) != 0x7F ? 1 : 0;
  const std::size_t length = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (byte(0) < 0xC0 || byte(0) > 0xF4 || text.size() < length) return 0;
  std::uint32_t code = byte(0) & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3FU);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
  return code >= kLeast[length] && code <= 0x10FFFF && !surrogate ? length : 0;
}

bool IsPrintable(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = PrintableCharacter(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

void Require(bool condition, std::string_view what, std::string_view detail) {
  if (condition) return;
  const std::string shown = absl::CHexEscape(std::string(detail));
  std::fprintf(stderr, "fuzz: %.*s: \"%s\"\n", static_cast<int>(what.size()), what.data(),
               shown.c_str());
  std::abort();
}

void RequireGoodError(const absl::Status& status, std::string_view name) {
  const std::string_view message(status.message().data(), status.message().size());
  Require(status.code() == absl::StatusCode::kInvalidArgument, "error of another code",
          status.ToString());
  Require(message.substr(0, name.size()) == name, "message does not begin with the name", message);
  Require(message.size() > name.size(), "message says nothing", message);
  Require(message.size() <= kMaxMessageBytes, "message is too long", message);
  Require(IsPrintable(message), "message cannot be printed", message);
}

}  // namespace hellocnn::fuzz
