#include "loadgen/run/live_view.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "loadgen/report/text.h"

namespace hellocnn::load {
namespace {

constexpr Nanos kBetweenLines = std::chrono::milliseconds(500);
constexpr int kBarWidth = 16;
constexpr std::size_t kSparks = 24;

double Seconds(Nanos duration) { return std::chrono::duration<double>(duration).count(); }

std::string Sparkline(const std::deque<double>& values, bool unicode) {
  static const std::vector<std::string> kBlocks = {"\u2581", "\u2582", "\u2583", "\u2584",
                                                   "\u2585", "\u2586", "\u2587", "\u2588"};
  static const std::vector<std::string> kPlain = {" ", ".", ":", "-", "=", "+", "*", "#"};
  const std::vector<std::string>& steps = unicode ? kBlocks : kPlain;
  const double most = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
  std::string line;
  for (const double value : values) {
    const auto top = static_cast<double>(steps.size() - 1);
    line += steps[static_cast<std::size_t>(most > 0 ? std::lround(value / most * top) : 0)];
  }
  return line;
}

}  // namespace

LiveView::LiveView(const RunLimits& limits, std::string step, int columns, bool unicode,
                   std::function<void(const std::string&)> draw)
    : limits_(limits),
      step_(step.empty() ? "" : std::move(step) + "  "),
      columns_(static_cast<std::size_t>(std::max(1, columns))),
      unicode_(unicode),
      draw_(std::move(draw)) {}

LiveView::~LiveView() { draw_(""); }

void LiveView::See(const View& view) {
  for (const Tally* tally : view.latest) {
    latency_.Add(tally->latency);
    answered_ += tally->answered();
    failed_ += tally->failed();
  }
  const Nanos since = view.now - drawn_;
  if (since < kBetweenLines) return;
  rates_.push_back(static_cast<double>(answered_) / Seconds(since));
  if (rates_.size() > kSparks) rates_.pop_front();
  draw_(Line(view, Seconds(since)));
  drawn_ = view.now;
  latency_.Clear();
  answered_ = failed_ = 0;
}

std::string LiveView::Progress(const View& view, bool bar) const {
  if (view.warming_up) {
    return absl::StrFormat("warm-up, %.0f s left", std::ceil(Seconds(limits_.warm_up - view.now)));
  }
  const double measured = Seconds(view.now - limits_.warm_up);
  double share = 0;
  if (limits_.duration != Nanos::max()) share = measured / Seconds(limits_.duration);
  if (limits_.requests != std::numeric_limits<std::int64_t>::max()) {
    share = std::max(
        share, static_cast<double>(view.total->requests()) / static_cast<double>(limits_.requests));
  }
  if (share <= 0) return absl::StrFormat("%.0f s", measured);
  if (share >= 1) return "waiting for the last responses";
  const int filled = static_cast<int>(share * kBarWidth);
  std::string left = absl::StrFormat("%.0f s left", std::ceil(measured * (1 / share - 1)));
  if (!bar) return left;
  return absl::StrCat("[", std::string(filled, '#'), std::string(kBarWidth - filled, ' '), "] ",
                      left);
}

std::string LiveView::Line(const View& view, double seconds) const {
  std::string figures = absl::StrFormat(
      "  %s/s, %s in flight, p50 %s, p99 %s", Number(static_cast<double>(answered_) / seconds),
      Grouped(view.in_flight), ShortTime(static_cast<double>(latency_.ValueAt(0.5)) * 1e-9),
      ShortTime(static_cast<double>(latency_.ValueAt(0.99)) * 1e-9));
  if (failed_ > 0) absl::StrAppend(&figures, ", ", Grouped(failed_), " FAILED");
  std::string line = step_ + Progress(view, /*bar=*/true) + figures;
  if (line.size() >= columns_) line = step_ + Progress(view, /*bar=*/false) + figures;
  // The line is still all ASCII here. A line that wraps could not be overwritten.
  if (line.size() >= columns_) return line.substr(0, columns_ - 1);
  if (line.size() + 2 + rates_.size() < columns_) line += "  " + Sparkline(rates_, unicode_);
  return line;
}

}  // namespace hellocnn::load
