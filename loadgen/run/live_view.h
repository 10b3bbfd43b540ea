// Shows one line on a terminal during a run.
#ifndef HELLOCNN_LOADGEN_RUN_LIVE_VIEW_H_
#define HELLOCNN_LOADGEN_RUN_LIVE_VIEW_H_

#include <deque>
#include <functional>
#include <string>

#include "loadgen/core/histogram.h"
#include "loadgen/core/pacer.h"
#include "loadgen/run/run.h"

namespace hellocnn::load {

// Shows progress, the time left, and the requests in flight. Also shows the rate, p50, p99 and
// failures of the last half second, and the rate over time as a sparkline.
class LiveView : public Observer {
 public:
  // Takes the `limits` of the run to compute progress. Calls `draw` twice a second with a line,
  // without a line end, and with "" to remove the line. The line begins with `step`, such as
  // "step 2 of 7". `columns` is the width of the terminal; `unicode` allows block characters.
  LiveView(const RunLimits& limits, std::string step, int columns, bool unicode,
           std::function<void(const std::string&)> draw);
  ~LiveView() override;

  void See(const View& view) override;

 private:
  std::string Line(const View& view, double seconds) const;
  // With a bar if there is room for it.
  std::string Progress(const View& view, bool bar) const;

  const RunLimits limits_;
  const std::string step_;
  const std::size_t columns_;
  const bool unicode_;
  const std::function<void(const std::string&)> draw_;
  // Since the last line.
  Nanos drawn_{0};
  Histogram latency_;
  std::int64_t answered_ = 0;
  std::int64_t failed_ = 0;
  std::deque<double> rates_;  // the rates of the last lines
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_LIVE_VIEW_H_
