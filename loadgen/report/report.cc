#include "loadgen/report/report.h"

namespace hellocnn::load {

std::optional<double> NetworkSeconds(const Run& run) {
  const Histogram& measured = run.outcome.total.service;
  const Histogram& warm_up = run.outcome.warm_up.service;
  const std::int64_t count = measured.count() + warm_up.count();
  if (!run.server.has_value() || !run.server->mean_request_seconds.has_value() || count == 0) {
    return std::nullopt;
  }
  const double mean = (measured.sum() + warm_up.sum()) * 1e-9 / static_cast<double>(count);
  return mean - *run.server->mean_request_seconds;
}

}  // namespace hellocnn::load
