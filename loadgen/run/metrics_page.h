// Reads a page in Prometheus' text format, as far as sums of counters need it.
#ifndef HELLOCNN_LOADGEN_RUN_METRICS_PAGE_H_
#define HELLOCNN_LOADGEN_RUN_METRICS_PAGE_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn::load {

class MetricsPage {
 public:
  using Labels = std::map<std::string, std::string>;

  // INVALID_ARGUMENT names the first line that does not follow the format, or says that there is no
  // sample.
  static absl::StatusOr<MetricsPage> Parse(const std::string& text);

  // Returns the sum of the samples with that name whose labels include `labels`. Returns nullopt if
  // there is none.
  std::optional<double> Sum(const std::string& name, const Labels& labels = {}) const;

 private:
  struct Sample {
    Labels labels;
    double value;
  };

  std::map<std::string, std::vector<Sample>> samples_;  // by name
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_METRICS_PAGE_H_
