#include "base/version_number.h"

#include <cstddef>

namespace hellocnn {
namespace {

std::string_view WithoutZeros(std::string_view number) {
  const std::size_t first = number.find_first_not_of('0');
  return first == std::string_view::npos ? std::string_view() : number.substr(first);
}

}  // namespace

bool IsVersionNumber(std::string_view version) {
  return !version.empty() && version.find_first_not_of("0123456789") == std::string_view::npos;
}

bool VersionOrder::operator()(std::string_view a, std::string_view b) const {
  const bool a_counts = IsVersionNumber(a);
  const bool b_counts = IsVersionNumber(b);
  if (a_counts != b_counts) return b_counts;
  if (!a_counts) return a < b;
  const std::string_view a_digits = WithoutZeros(a);
  const std::string_view b_digits = WithoutZeros(b);
  if (a_digits.size() != b_digits.size()) return a_digits.size() < b_digits.size();
  return a_digits != b_digits ? a_digits < b_digits : a < b;
}

}  // namespace hellocnn
