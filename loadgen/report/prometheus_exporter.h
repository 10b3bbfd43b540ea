// Exports the generator's own metrics, so that Prometheus can watch a run.
#ifndef HELLOCNN_LOADGEN_REPORT_PROMETHEUS_EXPORTER_H_
#define HELLOCNN_LOADGEN_REPORT_PROMETHEUS_EXPORTER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "loadgen/run/run.h"

namespace hellocnn::load {

// Serves GET /metrics until it is destroyed, on threads of its own. The metrics cover the whole
// run, including the warm-up. Durations are those of requests that succeeded.
class PrometheusExporter : public Observer {
 public:
  // Starts to serve on `address`, host:port; port 0 picks a free port. UNAVAILABLE names the
  // address if it cannot be bound.
  static absl::StatusOr<std::unique_ptr<PrometheusExporter>> Start(const std::string& address);
  ~PrometheusExporter() override;

  int port() const;

  // Sets the wanted requests a second; 0 in a closed loop. To be called when the next run begins.
  void SetTargetRate(double rate);

  void See(const View& view) override;

 private:
  struct Impl;
  explicit PrometheusExporter(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_REPORT_PROMETHEUS_EXPORTER_H_
