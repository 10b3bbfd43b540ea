// The generator's own metrics, to watch a run with Prometheus.
#ifndef HELLOCNN_LOADGEN_REPORT_PROMETHEUS_EXPORTER_H_
#define HELLOCNN_LOADGEN_REPORT_PROMETHEUS_EXPORTER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "loadgen/run/run.h"

namespace hellocnn::load {

// Serves GET /metrics until it is destroyed, on threads of its own. All of a run counts, the
// warm-up too; durations are those of requests that were answered OK.
class PrometheusExporter : public Observer {
 public:
  // `address` is host:port; port 0 picks a free one. UNAVAILABLE names the address if it cannot be
  // bound.
  static absl::StatusOr<std::unique_ptr<PrometheusExporter>> Start(const std::string& address);
  ~PrometheusExporter() override;

  int port() const;

  // Requests a second that are wanted; 0 in a closed loop. For when the next run begins.
  void SetTargetRate(double rate);

  void See(const View& view) override;

 private:
  struct Impl;
  explicit PrometheusExporter(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_PROMETHEUS_EXPORTER_H_
