// Reads a run that was saved as JSON, and estimates how far its figures can be trusted.
#ifndef HELLOCNN_LOADGEN_REPORT_SAVED_RUN_H_
#define HELLOCNN_LOADGEN_REPORT_SAVED_RUN_H_

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"

namespace hellocnn::load {

// A value and its 95% confidence interval, which is valid if responses are independent of each
// other.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
};

struct SavedRun {
  nlohmann::json document;  // what ToJson wrote; has an object at /runs/0
  // By metric: "rate" in requests a second, and "mean", "p50", … in seconds as far as there are
  // enough responses.
  std::map<std::string, Estimate> estimates;
};

// Reads the output of `hellocnn load --output json` of one run. NOT_FOUND: there is no such file.
// INVALID_ARGUMENT names the file and what is wrong with it: no report, another format, damage,
// several runs, or no response.
absl::StatusOr<SavedRun> ReadSavedRun(const std::string& path);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_SAVED_RUN_H_
