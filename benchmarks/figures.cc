#include "benchmarks/figures.h"

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "absl/strings/str_format.h"

namespace hellocnn {

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::string CpuModel() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

void WriteRatios(const std::vector<Ratio>& ratios, std::ostream& out) {
  const auto show = [](std::optional<double> value) {
    return value ? absl::StrFormat("%.2f", *value) : "";
  };
  out << "\n| ratio | measured | reach | aim for |\n|---|---|---|---|\n";
  for (const Ratio& ratio : ratios) {
    const char* bound = ratio.at_most ? "at most " : "";
    out << "| " << ratio.name << " | " << (ratio.value ? show(ratio.value) : "not measured")
        << " | " << (ratio.reach ? bound : "") << show(ratio.reach) << " | "
        << (ratio.aim ? bound : "") << show(ratio.aim) << " |\n";
  }
}

nlohmann::ordered_json RatiosToJson(const std::vector<Ratio>& ratios) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Ratio& ratio : ratios) {
    nlohmann::ordered_json row{{"name", ratio.name}, {"measured", nullptr}};
    if (ratio.value) row["measured"] = *ratio.value;
    if (ratio.reach) row["reach"] = *ratio.reach;
    if (ratio.aim) row["aim"] = *ratio.aim;
    if (ratio.at_most) row["at_most"] = true;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace hellocnn
