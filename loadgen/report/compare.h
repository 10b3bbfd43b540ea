// Two measurements side by side: what has changed, and how sure that is.
#ifndef HELLOCNN_LOADGEN_REPORT_COMPARE_H_
#define HELLOCNN_LOADGEN_REPORT_COMPARE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn::load {

// A value and the interval that holds the true one with 95% confidence, if answers are independent
// of each other.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
};

// The same metric in two measurements.
struct Change {
  std::string metric;  // "rate", "mean", "p50", …
  bool is_time;        // in seconds, else in requests a second
  Estimate before;
  Estimate after;

  // 0.1: a tenth more than before.
  double Relative() const { return before.value > 0 ? after.value / before.value - 1 : 0; }
  // The intervals don't overlap.
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
  // The change is beyond the limit, and sure.
  bool Holds(const Change& change) const;
};

// Reads what `hellocnn load --output json` wrote, of one run each. Metrics that one of the two does
// not know are left out. NOT_FOUND: no such file. INVALID_ARGUMENT names the file and what is wrong
// with it.
absl::StatusOr<std::vector<Change>> Compare(const std::string& before, const std::string& after);

// A line for each change.
std::string ToText(const std::vector<Change>& changes);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_COMPARE_H_
