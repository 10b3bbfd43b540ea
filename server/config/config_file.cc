#include "server/config/config_file.h"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/byte_order_mark.h"
#include "base/nearest.h"
#include "base/shown.h"

namespace hellocnn::server {
namespace {

struct Line {
  std::string name;
  std::string value;
};

bool IsNothingOrComment(absl::string_view text) {
  text = absl::StripLeadingAsciiWhitespace(text);
  return text.empty() || text.front() == '#';
}

// Returns the index of the quote that closes the one at the beginning, or npos.
std::size_t ClosingQuote(absl::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == text[0]) return i;
    if (text[0] == '"' && text[i] == '\\') ++i;
  }
  return absl::string_view::npos;
}

// `text` begins with a quote.
absl::StatusOr<std::string> ParseQuoted(absl::string_view text) {
  const std::size_t close = ClosingQuote(text);
  if (close == absl::string_view::npos) {
    return absl::InvalidArgumentError("a quote is not closed; within quotes, write \\\" for one");
  }
  if (!IsNothingOrComment(text.substr(close + 1))) {
    return absl::InvalidArgumentError(
        "something follows the closing quote; wanted a comment or nothing");
  }
  const absl::string_view quoted = text.substr(1, close - 1);
  if (text[0] == '\'') return std::string(quoted);
  std::string value;
  std::string error;
  if (!absl::CUnescape(quoted, &value, &error)) {
    return absl::InvalidArgumentError(
        absl::StrCat(Shown(error), "; a backslash begins an escape, and \\\\ stands for one"));
  }
  return value;
}

absl::StatusOr<std::string> ParseBare(absl::string_view text) {
  if (const std::size_t hash = text.find('#'); hash != absl::string_view::npos) {
    if (hash > 0 && !absl::ascii_isspace(static_cast<unsigned char>(text[hash - 1]))) {
      return absl::InvalidArgumentError(
          "a value without quotes cannot contain #; put it in quotes, or a space before a comment");
    }
    text = absl::StripTrailingAsciiWhitespace(text.substr(0, hash));
  }
  if (text.empty()) {
    return absl::InvalidArgumentError(
        "there is no value; to leave the option at its default, delete the line");
  }
  if (text.find('"') != absl::string_view::npos) {
    return absl::InvalidArgumentError("a value with a quote in it needs quotes around it");
  }
  return std::string(text);
}

// Returns nothing for an empty line and for a comment.
absl::StatusOr<std::optional<Line>> ParseLine(absl::string_view text) {
  if (IsNothingOrComment(text)) return std::nullopt;
  const std::size_t equals = text.find('=');
  const std::string name(absl::StripAsciiWhitespace(text.substr(0, std::min(equals, text.size()))));
  if (equals == absl::string_view::npos || name.empty() || name.front() == '[' ||
      name.find('#') != std::string::npos) {
    return absl::InvalidArgumentError("wanted option = value");
  }
  const absl::string_view rest = absl::StripAsciiWhitespace(text.substr(equals + 1));
  const bool quoted = !rest.empty() && (rest.front() == '"' || rest.front() == '\'');
  absl::StatusOr<std::string> value = quoted ? ParseQuoted(rest) : ParseBare(rest);
  if (!value.ok()) return value.status();
  return Line{name, *std::move(value)};
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> ParseConfigFile(
    const std::vector<std::string>& names, absl::string_view path, const std::string& text) {
  std::map<std::string, std::string> values;
  int number = 0;
  const std::string content(WithoutByteOrderMark(text));
  for (const absl::string_view line : absl::StrSplit(content, '\n')) {
    ++number;
    const auto wrong = [&](const auto&... why) {
      return absl::InvalidArgumentError(absl::StrCat("file ", path, ", line ", number, ": \"",
                                                     Shown(std::string(line)), "\": ", why...));
    };
    absl::StatusOr<std::optional<Line>> parsed = ParseLine(line);
    if (!parsed.ok()) return wrong(parsed.status().message());
    if (!parsed->has_value()) continue;
    auto& [name, value] = **parsed;
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      const std::string nearest = Nearest(name, names);
      return wrong(Shown(name), " is not an option; ",
                   nearest.empty() ? "see --help" : absl::StrCat("did you mean ", nearest, "?"));
    }
    if (!values.emplace(name, std::move(value)).second) {
      return wrong(name, " is given more than once");
    }
  }
  return values;
}

std::string QuotedForConfigFile(const std::string& value) {
  int number = 0;
  if (absl::SimpleAtoi(value, &number) && absl::StrCat(number) == value) return value;
  return absl::StrCat("\"", absl::Utf8SafeCEscape(value), "\"");
}

}  // namespace hellocnn::server
