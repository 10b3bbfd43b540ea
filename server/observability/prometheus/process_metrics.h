// The process_* metrics, which are the same in all client libraries of Prometheus, and those of the
// log, which is the process's.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_PROCESS_METRICS_H_
#define HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_PROCESS_METRICS_H_

#include <vector>

namespace prometheus {
struct MetricFamily;
}  // namespace prometheus

namespace hellocnn::server {

// Reads the values from /proc and getrlimit and returns them. Leaves out what it cannot read.
// Thread-safe.
std::vector<prometheus::MetricFamily> CollectProcessMetrics();

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_PROCESS_METRICS_H_
