#include "client/load/html_report.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "client/load/text.h"
#include "client/load/text_report.h"

namespace hellocnn::load {
namespace {

constexpr char kStyle[] = R"(
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff; }
pre { overflow-x: auto; font-size: 12px; line-height: 1.35; background: #f5f5f5; padding: 1em; }
svg { width: 100%; height: auto; font-size: 11px; }
.axis { stroke: #999; fill: none; } .grid { stroke: #e4e4e4; } .label { fill: #555; }
)";

constexpr double kWidth = 720, kHeight = 260;
constexpr double kLeft = 70, kRight = 15, kTop = 22, kBottom = 40;

struct Series {
  std::string name;
  std::string colour;
  std::vector<std::pair<double, double>> points;
};

std::string Escape(const std::string& text) {
  // Control characters are not XML, and the messages of errors may have any byte.
  std::string clean;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    clean += (byte < 0x20 && c != '\n') || byte > 0x7e ? '?' : c;
  }
  return absl::StrReplaceAll(clean,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string Text(double x, double y, const std::string& anchor, const std::string& text) {
  return absl::StrFormat(
      "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", x, y, anchor,
      Escape(text));
}

// 1, 2 or 5 times a power of ten: about `count` of them up to `most`.
double NiceStep(double most, int count) {
  const double rough = most / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) return factor * power;
  }
  return 10 * power;
}

// One plot. Values are >= 0, and both axes begin at 0, so that nothing looks larger than it is.
// `ticks`, if given, are the places and names on the x axis.
std::string Plot(const std::vector<Series>& series,
                 const std::function<std::string(double)>& x_name,
                 const std::function<std::string(double)>& y_name, const std::string& x_title,
                 const std::vector<double>& ticks = {}) {
  double x_most = 0;
  double y_most = 0;
  for (const Series& one : series) {
    for (const auto& [x, y] : one.points) {
      x_most = std::max(x_most, x);
      y_most = std::max(y_most, y);
    }
  }
  if (x_most <= 0 || y_most <= 0) return "<p>There is nothing to draw.</p>\n";
  const double y_step = NiceStep(y_most, 5);
  y_most = std::ceil(y_most / y_step - 1e-9) * y_step;
  const auto place_x = [&](double x) { return kLeft + x / x_most * (kWidth - kLeft - kRight); };
  const auto place_y = [&](double y) {
    return kHeight - kBottom - y / y_most * (kHeight - kTop - kBottom);
  };
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\">\n", kWidth, kHeight);
  for (double y = 0; y <= y_most * (1 + 1e-9); y += y_step) {
    absl::StrAppendFormat(&svg, "<path class=\"grid\" d=\"M%g %.1fH%g\"/>\n", kLeft, place_y(y),
                          kWidth - kRight);
    svg += Text(kLeft - 6, place_y(y) + 4, "end", y_name(y));
  }
  std::vector<double> places = ticks;
  if (places.empty()) {
    const double step = NiceStep(x_most, 8);
    for (double x = 0; x <= x_most * (1 + 1e-9); x += step) places.push_back(x);
  }
  for (const double x : places) {
    if (x <= x_most * (1 + 1e-9)) {
      svg += Text(place_x(x), kHeight - kBottom + 15, "middle", x_name(x));
    }
  }
  absl::StrAppendFormat(&svg, "<path class=\"axis\" d=\"M%g %gV%gH%g\"/>\n", kLeft, kTop,
                        kHeight - kBottom, kWidth - kRight);
  svg += Text((kLeft + kWidth - kRight) / 2, kHeight - 6, "middle", x_title);
  double legend = kLeft + 8;
  for (const Series& one : series) {
    absl::StrAppendFormat(
        &svg, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.5\" points=\"", one.colour);
    for (const auto& [x, y] : one.points) {
      absl::StrAppendFormat(&svg, "%.1f,%.1f ", place_x(x), place_y(y));
    }
    svg += "\"/>\n";
    absl::StrAppendFormat(&svg, "<text x=\"%.1f\" y=\"14\" fill=\"%s\">%s</text>\n", legend,
                          one.colour, Escape(one.name));
    legend += 20 + 7 * static_cast<double>(one.name.size());
  }
  return svg + "</svg>\n";
}

std::string Number(double value) { return absl::StrFormat("%g", value); }

// The further to the right, the rarer: each nine takes as much room as the one before.
double PlaceOf(double quantile) { return -std::log10(1 - quantile); }

std::string PercentilePlot(const Outcome& outcome) {
  const auto series = [](const std::string& name, const std::string& colour, const Histogram& of) {
    Series one{name, colour, {}};
    std::int64_t seen = 0;
    for (const Histogram::Slot& slot : of.Slots()) {
      seen += slot.count;
      if (seen == of.count()) break;  // the last lies at infinity
      const double share = static_cast<double>(seen) / static_cast<double>(of.count());
      one.points.emplace_back(PlaceOf(share), static_cast<double>(slot.highest) * 1e-9);
    }
    return one;
  };
  std::vector<Series> all{series("latency", "#c0392b", outcome.total.latency)};
  if (outcome.open_loop) all.push_back(series("service time", "#2471a3", outcome.total.service));
  const auto name = [](double place) {
    return absl::StrFormat("%.6g%%", 100 * (1 - std::pow(10, -place)));
  };
  return Plot(all, name, ShortTime, "percentile",
              {0, PlaceOf(0.5), 1, PlaceOf(0.95), 2, 3, 4, 5, 6});
}

std::string TimePlots(const Outcome& outcome) {
  Series p50{"p50", "#2471a3", {}};
  Series p99{"p99", "#c0392b", {}};
  Series rate{"answered a second", "#1e8449", {}};
  Series failed{"failed a second", "#c0392b", {}};
  for (const Window& window : outcome.windows) {
    const double at = window.start_seconds + window.length_seconds / 2;
    p50.points.emplace_back(at, static_cast<double>(window.p50) * 1e-9);
    p99.points.emplace_back(at, static_cast<double>(window.p99) * 1e-9);
    rate.points.emplace_back(at, static_cast<double>(window.answered) / window.length_seconds);
    failed.points.emplace_back(at, static_cast<double>(window.failed) / window.length_seconds);
  }
  return "<h2>Latency over time</h2>\n" +
         Plot({p50, p99}, Number, ShortTime, "seconds since the end of the warm-up") +
         "<h2>Rate over time</h2>\n" +
         Plot({rate, failed}, Number, Number, "seconds since the end of the warm-up");
}

// A bar of the mean latency, cut by where it went.
std::string Stages(const Outcome& outcome) {
  const Tally& total = outcome.total;
  const std::vector<std::pair<std::string, double>> stages = {
      {"waiting to be sent", std::max(0.0, total.latency.Mean() - total.service.Mean())},
      {"network, gRPC", total.network.Mean()},
      {"server: queue", total.queue.Mean()},
      {"server: compute", total.compute.Mean()}};
  constexpr const char* kColours[] = {"#7f8c8d", "#d68910", "#2471a3", "#1e8449"};
  double all = 0;
  for (const auto& stage : stages) all += stage.second;
  if (total.queue.count() == 0 || all <= 0)
    return "<p>The server says nothing of its stages.</p>\n";
  std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 75\">\n";
  double x = 0;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const auto& [name, mean] = stages[i];
    absl::StrAppendFormat(&svg,
                          "<rect x=\"%.1f\" y=\"5\" width=\"%.1f\" height=\"26\" fill=\"%s\"/>\n",
                          x, 720 * mean / all, kColours[i]);
    x += 720 * mean / all;
    absl::StrAppendFormat(&svg, "<text x=\"%d\" y=\"50\" fill=\"%s\">%s</text>\n", 180 * i,
                          kColours[i], Escape(name));
    svg += Text(180.0 * static_cast<double>(i), 66, "start",
                absl::StrFormat("%s, %.0f%%", ShortTime(mean * 1e-9), 100 * mean / all));
  }
  return svg + "</svg>\n";
}

std::string SweepPlot(const Report& report) {
  Series p50{"p50", "#2471a3", {}};
  Series p99{"p99", "#c0392b", {}};
  std::vector<const Run*> runs;
  for (const Run& run : report.runs) runs.push_back(&run);
  // Those of a search come in no order.
  if (report.search.has_value()) {
    std::sort(runs.begin(), runs.end(),
              [](const Run* a, const Run* b) { return a->outcome.Rate() < b->outcome.Rate(); });
  }
  for (const Run* run : runs) {
    const Histogram& latency = run->outcome.total.latency;
    p50.points.emplace_back(run->outcome.Rate(), static_cast<double>(latency.ValueAt(0.5)) * 1e-9);
    p99.points.emplace_back(run->outcome.Rate(), static_cast<double>(latency.ValueAt(0.99)) * 1e-9);
  }
  return Plot({p50, p99}, Number, ShortTime, "requests a second, answered");
}

}  // namespace

std::string ToHtml(const Report& report) {
  const bool one = report.runs.size() == 1;
  std::string page = absl::StrCat(
      "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
      "<meta charset=\"utf-8\"/>\n<title>Load on ",
      Escape(report.setup.target), "</title>\n<style>", kStyle,
      "</style>\n</head>\n<body>\n<h1>Load on ", Escape(report.setup.target), "</h1>\n<pre>",
      Escape(ToText(report)), "</pre>\n");
  if (one) {
    const Outcome& outcome = report.runs.front().outcome;
    page += "<h2>Latency by percentile</h2>\n" + PercentilePlot(outcome) +
            "<h2>Where the mean latency went</h2>\n" + Stages(outcome) + TimePlots(outcome);
  } else {
    page += "<h2>Latency against rate</h2>\n" + SweepPlot(report);
  }
  return page + "</body>\n</html>\n";
}

}  // namespace hellocnn::load
