// The parts that the benchmarks' reports share.
#ifndef HELLOCNN_BENCHMARKS_FIGURES_H_
#define HELLOCNN_BENCHMARKS_FIGURES_H_

#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace hellocnn {

// Returns the median of at least one value, and the upper one of an even number of values.
double Median(std::vector<double> values);

// Returns the CPU's name from Linux, or "unknown".
std::string CpuModel();

// A figure with targets. With `at_most` it must not exceed them; otherwise it must not be below
// them.
struct Ratio {
  std::string name;
  std::optional<double> value;  // nullopt: not measured
  std::optional<double> reach;  // nullopt: the figure is for information only
  std::optional<double> aim;
  bool at_most = false;
};

// Writes a table in Markdown.
void WriteRatios(const std::vector<Ratio>& ratios, std::ostream& out);
nlohmann::ordered_json RatiosToJson(const std::vector<Ratio>& ratios);

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_FIGURES_H_
