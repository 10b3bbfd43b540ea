#include "loadgen/run/sweep.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace hellocnn::load {
namespace {

constexpr std::size_t kMostValues = 1000;

absl::Status Bad(const std::string& text, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("'", text, "': ", why));
}

}  // namespace

absl::StatusOr<std::vector<double>> ParseSweep(const std::string& text, double largest) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  const auto number = [&](const std::string& part, double& value) {
    return absl::SimpleAtod(part, &value) && value > 0 && value <= largest;
  };
  double from = 0;
  if (parts.size() == 1) {
    if (number(parts[0], from)) return std::vector<double>{from};
    return Bad(text, absl::StrCat("wanted is a number above 0 and up to ", largest,
                                  ", or a sweep such as 1:64:x2 or 1000:5000:+1000"));
  }
  double to = 0;
  if (parts.size() != 3 || parts[2].size() < 2 || (parts[2][0] != 'x' && parts[2][0] != '+')) {
    return Bad(text, "a sweep is FROM:TO:xFACTOR or FROM:TO:+STEP, such as 1:64:x2");
  }
  if (!number(parts[0], from) || !number(parts[1], to) || from > to) {
    return Bad(text, absl::StrCat("FROM and TO must be above 0, up to ", largest, ", and ascend"));
  }
  const bool factor = parts[2][0] == 'x';
  double step = 0;
  if (!absl::SimpleAtod(parts[2].substr(1), &step) || !(step > (factor ? 1 : 0)) ||
      !(step <= largest)) {
    return Bad(text, factor ? "the factor must be above 1" : "the step must be above 0");
  }
  std::vector<double> values;
  // Each value is computed from the first, so that rounding errors do not add up. A value slightly
  // above TO counts as TO.
  double value = from;
  for (int i = 1; value <= to * (1 + 1e-9); ++i) {
    if (values.size() == kMostValues) {
      return Bad(text, absl::StrCat("these are more than ", kMostValues, " measurements"));
    }
    values.push_back(value);
    value = factor ? values.back() * step : from + i * step;
  }
  return values;
}

}  // namespace hellocnn::load
