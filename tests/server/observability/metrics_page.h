// Reads pages of metrics, for tests.
#ifndef HELLOCNN_TESTS_SERVER_OBSERVABILITY_METRICS_PAGE_H_
#define HELLOCNN_TESTS_SERVER_OBSERVABILITY_METRICS_PAGE_H_

#include <algorithm>
#include <cstddef>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace hellocnn::server {

// Returns the number of series on a page.
inline std::size_t SeriesOf(const std::string& page) {
  std::istringstream lines(page);
  std::size_t series = 0;
  for (std::string line; std::getline(lines, line);) series += line.empty() || line[0] != '#';
  return series;
}

// Returns the sum of the samples of a page that have this name and all of these labels: a="b".
// Returns NaN, which is equal to nothing, if there is none.
inline double Sum(const std::string& page, const std::string& name,
                  const std::vector<std::string>& labels = {}) {
  double sum = 0;
  bool found = false;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name + "{") && !line.starts_with(name + " ")) continue;
    const std::size_t value = line.rfind(' ');
    const auto has = [&](const std::string& label) { return line.find(label) < value; };
    if (!std::all_of(labels.begin(), labels.end(), has)) continue;
    sum += std::stod(line.substr(value));
    found = true;
  }
  return found ? sum : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace hellocnn::server

#endif  // HELLOCNN_TESTS_SERVER_OBSERVABILITY_METRICS_PAGE_H_
