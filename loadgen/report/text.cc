#include "loadgen/report/text.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/shown.h"

namespace hellocnn::load {
namespace {

// Separates the thousands of a decimal number without an exponent, such as "-1234.5".
std::string WithSeparators(const std::string& number) {
  const std::size_t first = number[0] == '-' ? 1 : 0;
  const std::size_t end = std::min(number.find('.'), number.size());
  std::string grouped;
  for (std::size_t i = 0; i < number.size(); ++i) {
    if (i > first && i < end && (end - i) % 3 == 0) grouped += ',';
    grouped += number[i];
  }
  return grouped;
}

// Rounds to `digits` digits, or to a whole number if that has more. Writes no zeros at the end of a
// fraction.
std::string Rounded(double number, int digits) {
  if (!std::isfinite(number)) return absl::StrCat(number);
  const double size = std::abs(number);
  const int before = size > 0 ? static_cast<int>(std::floor(std::log10(size))) + 1 : 1;
  std::string text = absl::StrFormat("%.*f", std::clamp(digits - before, 0, 12), number);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return WithSeparators(text);
}

}  // namespace

std::string ShortTime(double seconds) {
  const double size = std::abs(seconds);
  if (size >= 999.995) return Number(seconds) + " s";
  if (size >= 0.9995) return absl::StrFormat("%.2f s", seconds);
  if (size >= 0.9995e-3) return absl::StrFormat("%.2f ms", seconds * 1e3);
  return absl::StrFormat("%.0f us", seconds * 1e6);
}

std::string Grouped(std::int64_t number) { return WithSeparators(absl::StrCat(number)); }

std::string Number(double number) { return Rounded(number, 4); }

std::string Exact(double number) { return Rounded(number, 9); }

std::string Percent(double share) {
  return WithSeparators(absl::StrFormat("%.2f", 100 * share)) + "%";
}

double Share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

std::string Wrapped(const std::string& label, const std::string& text, std::size_t indent) {
  std::string lines;
  std::string line = label;
  bool empty = true;  // no word on this line yet
  for (const std::string& word :
       std::vector<std::string>(absl::StrSplit(Printable(text), ' ', absl::SkipEmpty()))) {
    if (!empty && line.size() + 1 + word.size() > kColumns) {
      absl::StrAppend(&lines, line, "\n");
      line.clear();
      empty = true;
    }
    if (!empty) {
      line += ' ';
    } else if (line.size() < indent) {
      line.resize(indent, ' ');
    }
    line += word;
    empty = false;
  }
  absl::StripTrailingAsciiWhitespace(&line);
  return absl::StrCat(lines, line, "\n");
}

}  // namespace hellocnn::load
