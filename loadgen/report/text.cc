#include "loadgen/report/text.h"

#include <cmath>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace hellocnn::load {

std::string ShortTime(double seconds) {
  const double size = std::abs(seconds);
  if (size >= 0.9995) return absl::StrFormat("%.2f s", seconds);
  if (size >= 0.9995e-3) return absl::StrFormat("%.2f ms", seconds * 1e3);
  return absl::StrFormat("%.0f us", seconds * 1e6);
}

std::string Grouped(std::int64_t number) {
  const std::string digits = absl::StrCat(number);
  const std::size_t first = number < 0 ? 1 : 0;
  std::string grouped;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > first && (digits.size() - i) % 3 == 0) grouped += ',';
    grouped += digits[i];
  }
  return grouped;
}

std::string Percent(double share) { return absl::StrFormat("%.2f%%", 100 * share); }

double Share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

}  // namespace hellocnn::load
