// The percentiles that every form of a report names.
#ifndef HELLOCNN_LOADGEN_CORE_PERCENTILES_H_
#define HELLOCNN_LOADGEN_CORE_PERCENTILES_H_

#include <array>

#include "loadgen/core/histogram.h"

namespace hellocnn::load {

struct Percentile {
  const char* name;
  const char* key;  // in JSON and CSV
  double quantile;
};
inline constexpr std::array<Percentile, 7> kPercentiles = {{{"p50", "p50", 0.5},
                                                            {"p90", "p90", 0.9},
                                                            {"p95", "p95", 0.95},
                                                            {"p99", "p99", 0.99},
                                                            {"p99.9", "p99_9", 0.999},
                                                            {"p99.99", "p99_99", 0.9999},
                                                            {"p99.999", "p99_999", 0.99999}}};

// Returns true if `histogram` has enough values for this quantile: at least one must lie beyond it.
// 500 responses, for example, have no 99.9th percentile.
inline bool Knows(const Histogram& histogram, double quantile) {
  return static_cast<double>(histogram.count()) * (1 - quantile) >= 1 - 1e-9;
}

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_PERCENTILES_H_
