// Compares two measurements: what has changed, how certain the change is, and whether the two were
// measured alike.
#ifndef HELLOCNN_LOADGEN_REPORT_COMPARE_H_
#define HELLOCNN_LOADGEN_REPORT_COMPARE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "loadgen/report/saved_run.h"

namespace hellocnn::load {

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

struct Comparison {
  std::vector<Change> changes;
  // Each says for people in what the measurements differ so much that a change of the figures says
  // nothing about the server: the kind of load, its size, or that one was interrupted.
  std::vector<std::string> differences;
  // The same for what a reader should know: other settings, and doubts about one of them.
  std::vector<std::string> notes;
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
// them has are left out. Errors are those of ReadSavedRun.
absl::StatusOr<Comparison> Compare(const std::string& before, const std::string& after);

// Returns a line of at most 80 columns for each change, and a head.
std::string ToText(const std::vector<Change>& changes);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_COMPARE_H_
