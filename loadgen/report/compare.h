// Compares two measurements: what has changed, and how certain the change is.
#ifndef HELLOCNN_LOADGEN_REPORT_COMPARE_H_
#define HELLOCNN_LOADGEN_REPORT_COMPARE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn::load {

// A value and its 95% confidence interval, which is valid if responses are independent of each
// other.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
};

// The same metric in two measurements.
struct Change {
  std::string metric;  // "rate", "mean", "p50", …
  bool is_time;        // true: in seconds; false: in requests a second
  Estimate before;
  Estimate after;

  // Returns the relative change: 0.1 is a tenth more than before.
  double Relative() const { return before.value > 0 ? after.value / before.value - 1 : 0; }
  // Returns true if the intervals do not overlap.
  bool Sure() const { return after.low > before.high || after.high < before.low; }
};

// One condition of --fail-if: "p99>+10%", "rate<-5%".
struct Condition {
  std::string text;
  std::string metric;
  bool more = false;    // '>', else '<'
  double relative = 0;  // 0.1 for +10%

  // INVALID_ARGUMENT says what is wrong with `text`.
  static absl::StatusOr<Condition> Parse(const std::string& text);
  // Returns true if the change exceeds the limit and is certain.
  bool Holds(const Change& change) const;
};

// Reads two outputs of `hellocnn load --output json`, of one run each. Metrics that only one of
// them has are left out. NOT_FOUND: there is no such file. INVALID_ARGUMENT names the file and what
// is wrong with it.
absl::StatusOr<std::vector<Change>> Compare(const std::string& before, const std::string& after);

// Returns a line for each change.
std::string ToText(const std::vector<Change>& changes);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_COMPARE_H_
