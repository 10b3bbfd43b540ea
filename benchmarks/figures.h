// What the benchmarks' reports have in common.
#ifndef HELLOCNN_BENCHMARKS_FIGURES_H_
#define HELLOCNN_BENCHMARKS_FIGURES_H_

#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace hellocnn {

// Of at least one value; of an even number, the upper one.
double Median(std::vector<double> values);

// As Linux names it, or "unknown".
std::string CpuModel();

// A figure that is meant to reach something. `at_most`: by being no larger, else no smaller.
struct Ratio {
  std::string name;
  std::optional<double> value;  // none: not measured
  std::optional<double> reach;  // none: for information
  std::optional<double> aim;
  bool at_most = false;
};

// A table in Markdown.
void WriteRatios(const std::vector<Ratio>& ratios, std::ostream& out);
nlohmann::ordered_json RatiosToJson(const std::vector<Ratio>& ratios);

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_FIGURES_H_
