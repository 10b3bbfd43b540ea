#include "loadgen/report/html_report.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "base/shown.h"
#include "loadgen/core/analysis.h"
#include "loadgen/core/percentiles.h"
#include "loadgen/report/svg_plot.h"
#include "loadgen/report/text.h"
#include "loadgen/report/text_report.h"

namespace hellocnn::load {
namespace {

constexpr char kStyle[] = R"(
:root { color-scheme: light dark; --ink: #1c2430; --quiet: #5b6675; --page: #f4f6f8; --card: #fff; --rule: #e2e6eb; --axis: #9aa4b0;
  --bad: #b3261e; --c1: #1f6fb4; --c2: #c2410c; --c3: #15803d; --c4: #7c3aed; --in-bar: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --quiet: #a3adba; --page: #12161c; --card: #1b212a; --rule: #2c343f; --axis: #5d6875;
    --bad: #ff8a80; --c1: #64b5f6; --c2: #ff9e64; --c3: #6ccf8e; --c4: #b79cff; --in-bar: #12161c; }
}
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62em; margin: 0 auto; padding: 1.5em 1em 3em; color: var(--ink); background: var(--page); }
h1 { font-size: 1.5em; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.05em; margin: 0 0 .5em; }
.sub { color: var(--quiet); margin: .2em 0 1.2em; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5em, 1fr)); gap: .7em; margin: 0 0 1em; }
.figures div, figure, pre, .warning { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
.figures div { padding: .6em .9em; } .figures dt { color: var(--quiet); font-size: .85em; }
.figures dd { margin: 0; font-size: 1.2em; white-space: nowrap; font-weight: 600; font-variant-numeric: tabular-nums; } .figures .bad { color: var(--bad); }
.warning { border-color: var(--bad); padding: .7em 1em; margin: 0 0 1em; } .warning strong { color: var(--bad); }
figure { margin: 0 0 1em; padding: 1em; overflow-x: auto; } figcaption { color: var(--quiet); font-size: .88em; }
svg { display: block; width: 100%; min-width: 34em; height: auto; font-size: 12px; font-variant-numeric: tabular-nums; }
text { fill: var(--quiet); } .legend { fill: var(--ink); } .note { fill: var(--quiet); font-size: 10.5px; }
.in-bar { fill: var(--in-bar); font-weight: 600; } .axis { stroke: var(--axis); fill: none; } .grid { stroke: var(--rule); }
.series-1 { fill: var(--c1); stroke: none; } .series-2 { fill: var(--c2); } .series-3 { fill: var(--c3); } .series-4 { fill: var(--c4); }
.line { fill: none; stroke-width: 1.8; stroke-linejoin: round; } .series-1.line { stroke: var(--c1); } .series-2.line { stroke: var(--c2); }
.series-3.line { stroke: var(--c3); } .series-4.line { stroke: var(--c4); }
pre { overflow-x: auto; font-size: 12px; line-height: 1.4; padding: 1em; margin: 0; }
)";

constexpr std::size_t kMostBars = 40;

double Seconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

std::string Number(double value) { return absl::StrFormat("%g", value); }

std::string Figure(const std::string& title, const std::string& caption, const std::string& plot) {
  return absl::StrCat("<figure>\n<h2>", EscapeXml(title), "</h2>\n", plot, "<figcaption>",
                      EscapeXml(caption), "</figcaption>\n</figure>\n");
}

// Returns the place of `quantile` on the axis. Each further nine takes as much room as the one
// before.
double PlaceOf(double quantile) { return -std::log10(1 - quantile); }

std::string PercentileFigure(const Outcome& outcome) {
  // Many slots lie closer together than a line is wide, so only slots at a distinguishable place
  // are drawn.
  constexpr double kFinest = 0.01;
  const auto series = [](const std::string& name, int colour, const Histogram& of) {
    Series one{name, colour, {}, {}};
    std::int64_t seen = 0;
    for (const Histogram::Slot& slot : of.Slots()) {
      seen += slot.count;
      if (seen == of.count()) break;  // the last value would lie at infinity
      const double place = PlaceOf(static_cast<double>(seen) / static_cast<double>(of.count()));
      if (!one.points.empty() && place < one.points.back().first + kFinest) continue;
      one.points.emplace_back(place, Seconds(slot.highest));
    }
    return one;
  };
  std::vector<Series> all{series("latency", 1, outcome.total.latency)};
  if (outcome.open_loop) all.push_back(series("service time", 3, outcome.total.service));
  const auto name = [](double place) {
    return absl::StrFormat("%.6g%%", 100 * (1 - std::pow(10, -place)));
  };
  return Figure(
      "Latency by percentile",
      "The share of the requests whose response came within this time; each nine further is ten "
      "times rarer.",
      LinePlot(all, {"of the requests", name, {0, PlaceOf(0.5), 1, PlaceOf(0.95), 2, 3, 4, 5, 6}},
               {"", ShortTime, {}}));
}

std::string TimeFigures(const Outcome& outcome) {
  Series p50{"p50", 1, {}, {}};
  Series p99{"p99", 2, {}, {}};
  Series rate{"responses a second", 3, {}, {}};
  Series failed{"failed a second", 2, {}, {}};
  for (const Window& window : outcome.windows) {
    const double at = window.start_seconds + window.length_seconds / 2;
    p50.points.emplace_back(at, Seconds(window.p50));
    p99.points.emplace_back(at, Seconds(window.p99));
    // A window that was cut short has no rate.
    if (window.start_seconds + window.length_seconds > outcome.seconds + 1e-6) continue;
    rate.points.emplace_back(at, static_cast<double>(window.answered) / window.length_seconds);
    failed.points.emplace_back(at, static_cast<double>(window.failed) / window.length_seconds);
  }
  const Axis time{"seconds since the end of the warm-up", Number, {}};
  const std::string windows = absl::StrFormat(
      "In windows of %.1f s.", std::chrono::duration<double>(outcome.window_length).count());
  return Figure("Latency over time", windows, LinePlot({p50, p99}, time, {"", ShortTime, {}})) +
         Figure("Rate over time", windows, LinePlot({rate, failed}, time, {"", Number, {}}));
}

std::string LoadName(const Run& run) {
  if (!run.outcome.open_loop) return absl::StrCat(run.concurrency, " in flight");
  return run.rate > 0 ? Exact(run.rate) + "/s" : "recorded";
}

// Draws the stages of the mean latency, with a bar for each run.
std::string StagesFigure(const std::vector<const Run*>& runs) {
  std::vector<Bar> bars;
  for (const Run* run : runs) {
    const Tally& total = run->outcome.total;
    if (total.queue.count() == 0) continue;  // the server does not report its stages
    bars.push_back(
        {LoadName(*run),
         {total.queue.Mean() * 1e-9, total.network.Mean() * 1e-9, total.compute.Mean() * 1e-9,
          std::max(0.0, total.latency.Mean() - total.service.Mean()) * 1e-9}});
  }
  const bool shown = !bars.empty() && bars.size() <= kMostBars;
  return Figure(
      "Where the mean latency went", "Queue and compute as the server says in each response.",
      shown
          ? StackedBars({"server: queue", "network, gRPC", "server: compute", "waiting to be sent"},
                        bars, ShortTime)
      : bars.empty() ? "<p>The server says nothing of its stages.</p>\n"
                     : "<p>There are too many runs to show here.</p>\n");
}

std::string SweepFigure(const std::vector<const Run*>& runs) {
  Series p50{"p50", 1, {}, {}};
  Series p99{"p99", 2, {}, {}};
  for (const Run* run : runs) {
    const Histogram& latency = run->outcome.total.latency;
    if (latency.count() == 0) continue;
    const double rate = run->outcome.Rate();
    p50.points.emplace_back(rate, Seconds(latency.ValueAt(0.5)));
    p99.points.emplace_back(rate, Seconds(latency.ValueAt(0.99)));
    if (!run->outcome.open_loop) p99.notes.push_back(absl::StrCat(run->concurrency));
  }
  return Figure("Latency against throughput",
                runs.front()->outcome.open_loop
                    ? "Each point is a rate that was asked for."
                    : "Each point is a number of requests in flight, written at p99.",
                LinePlot({p50, p99}, {"responses a second", Number, {}}, {"", ShortTime, {}}));
}

std::string FigureItem(const std::string& name, const std::string& value, bool bad = false) {
  return absl::StrCat("<div><dt>", EscapeXml(name), "</dt><dd", bad ? " class=\"bad\"" : "", ">",
                      EscapeXml(value), "</dd></div>\n");
}

// Returns the most important figures.
std::string Figures(const Run& run) {
  const Outcome& outcome = run.outcome;
  const Tally& total = outcome.total;
  std::string html = "<dl class=\"figures\">\n" +
                     FigureItem("requests a second", Number(outcome.Rate())) +
                     FigureItem("images a second", Number(outcome.ImageRate()));
  for (const double quantile : {0.5, 0.99, 0.999}) {
    if (!Knows(total.latency, quantile)) continue;
    html += FigureItem(absl::StrFormat("p%g", 100 * quantile),
                       ShortTime(Seconds(total.latency.ValueAt(quantile))));
  }
  html +=
      FigureItem("failed", Percent(Share(total.failed(), total.requests())), total.failed() > 0);
  const Steadiness& steadiness = outcome.steadiness;
  html += FigureItem("steady",
                     !steadiness.known     ? "not known"
                     : steadiness.steady() ? "yes"
                                           : "no",
                     steadiness.known && !steadiness.steady());
  return html + "</dl>\n";
}

std::string Warnings(const Report& report) {
  std::string html;
  for (const Run& run : report.runs) {
    for (const std::string& reason : JudgeGenerator(run.outcome)) {
      absl::StrAppend(&html, "<br/>", EscapeXml(LoadName(run) + ": " + reason), "\n");
    }
  }
  std::string warnings;
  for (const Run& run : report.runs) {
    if (run.server.has_value() && !run.server->problem.empty()) {
      absl::StrAppend(&warnings, "<p class=\"warning\"><strong>",
                      run.server->restarted ? "The server was restarted." : "No server metrics.",
                      "</strong>\n",
                      EscapeXml(LoadName(run) + ": " + Printable(run.server->problem)), "</p>\n");
    }
  }
  if (report.interrupted()) {
    warnings +=
        "<p class=\"warning\"><strong>Interrupted.</strong> The figures cover what was measured "
        "until then.</p>\n";
  }
  if (html.empty()) return warnings;
  return warnings +
         "<p class=\"warning\"><strong>The generator, not the server, may be what was "
         "measured.</strong>\n" +
         html + "</p>\n";
}

}  // namespace

std::string ToHtml(const Report& report) {
  const Setup& setup = report.setup;
  const std::string title = EscapeXml("Load on " + Printable(setup.target));
  std::string page = absl::StrCat(
      "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
      "<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" "
      "content=\"width=device-width\"/>\n<title>",
      title, "</title>\n<style>", kStyle, "</style>\n</head>\n<body>\n<h1>", title,
      "</h1>\n<p class=\"sub\">",
      EscapeXml(absl::StrCat(
          Printable(setup.model), "; ",
          setup.arrivals == "closed" ? "closed loop" : setup.arrivals + " arrivals", ", ",
          setup.mode, ", ", setup.connections,
          setup.connections == 1 ? " connection; " : " connections; ",
          absl::FormatTime("%Y-%m-%d %H:%M UTC", absl::FromUnixSeconds(setup.started_at),
                           absl::UTCTimeZone()))),
      "</p>\n");
  std::vector<const Run*> runs;
  for (const Run& run : report.runs) runs.push_back(&run);
  // The runs of a search are not in order of their rates.
  if (report.search.has_value()) {
    std::sort(runs.begin(), runs.end(),
              [](const Run* a, const Run* b) { return a->rate < b->rate; });
  }
  if (runs.size() == 1) page += Figures(*runs.front());
  page += Warnings(report);
  if (runs.size() == 1) {
    page += PercentileFigure(runs.front()->outcome) + TimeFigures(runs.front()->outcome);
  } else {
    page += SweepFigure(runs);
  }
  return absl::StrCat(page, StagesFigure(runs), "<pre>", EscapeXml(ToText(report)),
                      "</pre>\n</body>\n</html>\n");
}

}  // namespace hellocnn::load
