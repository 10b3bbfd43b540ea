#include "client/load/report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/load/analysis.h"

namespace hellocnn::load {
namespace {

using Json = nlohmann::ordered_json;

struct Quantile {
  const char* name;
  const char* key;  // in JSON and CSV
  double quantile;
};
constexpr std::array<Quantile, 7> kQuantiles = {{{"p50", "p50", 0.5},
                                                 {"p90", "p90", 0.9},
                                                 {"p95", "p95", 0.95},
                                                 {"p99", "p99", 0.99},
                                                 {"p99.9", "p99_9", 0.999},
                                                 {"p99.99", "p99_99", 0.9999},
                                                 {"p99.999", "p99_999", 0.99999}}};

// Of 500 answers none is the 99.9th percentile: one at least must lie beyond.
bool Knows(const Histogram& histogram, double quantile) {
  return static_cast<double>(histogram.count()) * (1 - quantile) >= 1 - 1e-9;
}

double Seconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

std::string Percent(double share) { return absl::StrFormat("%.2f%%", 100 * share); }

double Share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

std::string Count(std::int64_t count, const std::string& what) {
  return absl::StrCat(Grouped(count), " ", what, count == 1 ? "" : "s");
}

double MeanBatch(const Tally& total) { return Share(total.batch_sizes, total.queue.count()); }

// "4 requests under way", "1,000 requests/s, Poisson".
std::string LoadOf(const Setup& setup, const Run& run) {
  if (!run.outcome.open_loop) return Count(run.concurrency, "request") + " under way";
  if (setup.arrivals == "recorded") return "requests at recorded times";
  if (setup.arrivals == "ramp") {
    return absl::StrFormat("a ramp to %s requests/s", Grouped(std::llround(run.rate)));
  }
  return absl::StrFormat("%s requests/s, %s", Grouped(std::llround(run.rate)), setup.arrivals);
}

std::string Header(const Setup& setup) {
  return absl::StrFormat("%s at %s; %s on %s, %s a request, %s\n", setup.model, setup.target,
                         setup.mode == "stream" ? "streams" : "unary calls",
                         Count(setup.connections, "connection"),
                         Count(setup.images_per_request, setup.pixel_format + " image"),
                         setup.data.empty() ? "generated" : "of " + setup.data);
}

std::string Cell(const Histogram& histogram, double quantile) {
  return Knows(histogram, quantile) ? ShortTime(Seconds(histogram.ValueAt(quantile))) : "-";
}

std::string Row(const std::string& name, const Histogram& histogram) {
  std::string row = absl::StrFormat("%-18s", name);
  if (histogram.count() == 0) return row + "  -\n";
  row += absl::StrFormat(" %9s", ShortTime(histogram.Mean() * 1e-9));
  for (const Quantile& quantile : kQuantiles) {
    row += absl::StrFormat(" %9s", Cell(histogram, quantile.quantile));
  }
  return row + absl::StrFormat(" %9s\n", ShortTime(Seconds(histogram.max())));
}

std::string Errors(const Tally& total) {
  std::string text;
  for (int code = 1; code < kCodes; ++code) {
    if (total.by_code[code] == 0) continue;
    text += absl::StrFormat("  %-20s %10s\n", CodeName(code), Grouped(total.by_code[code]));
    for (const std::string& message : total.messages[code]) {
      text += absl::StrCat("    ", message.empty() ? "(no message)" : message, "\n");
    }
  }
  return text.empty() ? "" : "\nerrors\n" + text;
}

std::string SteadyLine(const Steadiness& steadiness) {
  if (!steadiness.known) return "too short, or too few answers, to tell";
  return absl::StrFormat(
      "%s: over the thirds of the time, the rate differs by %.1f%% and the mean latency by %.1f%%",
      steadiness.steady() ? "yes" : "NO", 100 * steadiness.rate_spread,
      100 * steadiness.latency_spread);
}

std::string Warnings(const Run& run) {
  const std::vector<std::string> reasons = JudgeGenerator(run.outcome);
  if (reasons.empty()) return "";
  std::string text = "\nTHE GENERATOR, NOT THE SERVER, MAY BE WHAT WAS MEASURED\n";
  for (const std::string& reason : reasons) text += "  " + reason + "\n";
  return text;
}

std::string OneRun(const Setup& setup, const Run& run) {
  const Outcome& outcome = run.outcome;
  const Tally& total = outcome.total;
  std::string text =
      absl::StrFormat("%s loop, %s, for %.1f s after %.1f s of warm-up%s\n\n",
                      outcome.open_loop ? "open" : "closed", LoadOf(setup, run), outcome.seconds,
                      setup.warm_up_seconds, outcome.interrupted ? "; interrupted" : "");
  absl::StrAppend(&text, "requests   ", Grouped(total.answered()), " answered, ",
                  Grouped(total.failed()), " failed (",
                  Percent(Share(total.failed(), total.requests())), ")\n");
  absl::StrAppendFormat(&text, "rate       %.1f requests/s, %.1f images/s\n", outcome.Rate(),
                        outcome.ImageRate());
  if (!setup.data.empty()) {
    absl::StrAppend(&text, "wrong      ", Grouped(total.wrong), " of ", Grouped(total.images),
                    " images (", Percent(Share(total.wrong, total.images)), ")\n");
  }
  absl::StrAppend(&text, "steady     ", SteadyLine(JudgeSteadiness(outcome.intervals)), "\n\n");
  absl::StrAppendFormat(&text, "%-18s %9s", "", "mean");
  for (const Quantile& quantile : kQuantiles) absl::StrAppendFormat(&text, " %9s", quantile.name);
  absl::StrAppendFormat(&text, " %9s\n", "max");
  if (outcome.open_loop) {
    text += Row("latency", total.latency) + Row("  send lag", total.lag) +
            Row("  service time", total.service);
  } else {
    text += Row("latency", total.latency);
  }
  if (total.queue.count() > 0) {
    text += Row("    server: queue", total.queue) + Row("    server: compute", total.compute) +
            Row("    network, gRPC", total.network);
    absl::StrAppendFormat(&text, "\nbatches    of %.1f images, as a request sees them\n",
                          MeanBatch(total));
  }
  const OwnCost& cost = outcome.cost;
  absl::StrAppendFormat(
      &text, "generator  %.2f of %d CPUs, its busiest thread %.0f%%; %.1f us of CPU a request\n",
      cost.CpuRatio() * cost.cpus, cost.cpus, 100 * cost.busiest_thread,
      total.requests() > 0 ? 1e6 * cost.cpu_seconds / static_cast<double>(total.requests()) : 0);
  if (outcome.open_loop) {
    absl::StrAppend(&text, "late       ", Grouped(total.late),
                    " sends more than 1 ms late by the generator's fault");
    if (total.held > 0) {
      absl::StrAppend(&text, "; ", Grouped(total.held), " held back, as ",
                      Grouped(setup.most_in_flight), " requests were under way");
    }
    text += "\n";
  }
  return text + Errors(total) + Warnings(run);
}

std::string ManyRuns(const Report& report) {
  std::string text = absl::StrFormat(
      "%12s %10s %10s %9s %9s %9s %9s %8s %9s %s\n",
      report.runs.front().outcome.open_loop ? "wanted/s" : "under way", "requests/s", "images/s",
      "p50", "p90", "p99", "p99.9", "failed", "batch", "remarks");
  for (const Run& run : report.runs) {
    const Outcome& outcome = run.outcome;
    const Tally& total = outcome.total;
    std::string remarks;
    const Steadiness steadiness = JudgeSteadiness(outcome.intervals);
    if (steadiness.known && !steadiness.steady()) remarks += " not steady";
    if (!JudgeGenerator(outcome).empty()) remarks += " generator-bound";
    if (report.search.has_value()) {
      remarks += run.verdict.empty() ? " kept" : " NOT KEPT: " + run.verdict;
    }
    absl::StrAppendFormat(
        &text, "%12s %10.1f %10.1f %9s %9s %9s %9s %8s %9.1f%s\n",
        outcome.open_loop ? Grouped(std::llround(run.rate)) : Grouped(run.concurrency),
        outcome.Rate(), outcome.ImageRate(), Cell(total.latency, 0.5), Cell(total.latency, 0.9),
        Cell(total.latency, 0.99), Cell(total.latency, 0.999),
        Percent(Share(total.failed(), total.requests())), MeanBatch(total), remarks);
  }
  if (report.search.has_value()) {
    text += report.search->best.has_value()
                ? absl::StrFormat("\n%.0f requests/s is the highest rate tried that keeps %s\n",
                                  *report.search->best, report.search->slo)
                : absl::StrCat("\nno rate that was tried keeps ", report.search->slo, "\n");
  }
  return text;
}

Json Summary(const Histogram& histogram) {
  Json summary = {{"count", histogram.count()},
                  {"mean", histogram.Mean() * 1e-9},
                  {"standard_deviation", histogram.StandardDeviation() * 1e-9},
                  {"min", Seconds(histogram.min())}};
  for (const Quantile& quantile : kQuantiles) {
    summary[quantile.key] = Knows(histogram, quantile.quantile)
                                ? Json(Seconds(histogram.ValueAt(quantile.quantile)))
                                : Json(nullptr);
  }
  summary["max"] = Seconds(histogram.max());
  return summary;
}

Json ErrorsJson(const Tally& total) {
  Json errors = Json::array();
  for (int code = 1; code < kCodes; ++code) {
    if (total.by_code[code] == 0) continue;
    errors.push_back({{"code", CodeName(code)},
                      {"count", total.by_code[code]},
                      {"messages", total.messages[code]}});
  }
  return errors;
}

Json RunJson(const Run& run) {
  const Outcome& outcome = run.outcome;
  const Tally& total = outcome.total;
  const Steadiness steadiness = JudgeSteadiness(outcome.intervals);
  Json json;
  if (outcome.open_loop) {
    json["wanted_requests_per_second"] = run.rate;
  } else {
    json["concurrency"] = run.concurrency;
  }
  json["seconds"] = outcome.seconds;
  json["interrupted"] = outcome.interrupted;
  json["requests"] = total.requests();
  json["answered"] = total.answered();
  json["failed"] = total.failed();
  json["images"] = total.images;
  json["wrong"] = total.wrong;
  json["requests_per_second"] = outcome.Rate();
  json["images_per_second"] = outcome.ImageRate();
  json["latency_seconds"] = Summary(total.latency);
  json["service_seconds"] = Summary(total.service);
  json["send_lag_seconds"] = Summary(total.lag);
  json["late_sends"] = total.late;
  json["held_sends"] = total.held;
  json["errors"] = ErrorsJson(total);
  json["server"] = {{"queue_seconds", Summary(total.queue)},
                    {"compute_seconds", Summary(total.compute)},
                    {"mean_batch_size", MeanBatch(total)}};
  json["network_and_grpc_seconds"] = Summary(total.network);
  json["generator"] = {{"cpu_seconds", outcome.cost.cpu_seconds},
                       {"cpus", outcome.cost.cpus},
                       {"cpu_ratio", outcome.cost.CpuRatio()},
                       {"busiest_thread_ratio", outcome.cost.busiest_thread}};
  json["generator_bound"] = JudgeGenerator(outcome);
  json["steady"] = steadiness.known ? Json(steadiness.steady()) : Json(nullptr);
  json["points"] = Json::array();
  for (const Point& point : outcome.points) {
    json["points"].push_back({{"start_seconds", point.start_seconds},
                              {"length_seconds", point.length_seconds},
                              {"answered", point.answered},
                              {"failed", point.failed},
                              {"images", point.images},
                              {"p50_seconds", Seconds(point.p50)},
                              {"p99_seconds", Seconds(point.p99)},
                              {"max_seconds", Seconds(point.max)},
                              {"in_flight", point.in_flight}});
  }
  // Counts by the upper end of their slot, in nanoseconds.
  json["latency_histogram"] = Json::array();
  for (const Histogram::Slot& slot : total.latency.Slots()) {
    json["latency_histogram"].push_back({std::min(slot.highest, total.latency.max()), slot.count});
  }
  return json;
}

}  // namespace

std::string ToText(const Report& report) {
  return Header(report.setup) + (report.runs.size() == 1 && !report.search.has_value()
                                     ? OneRun(report.setup, report.runs.front())
                                     : ManyRuns(report));
}

std::string ToJson(const Report& report) {
  const Setup& setup = report.setup;
  Json document = {{"target", setup.target},
                   {"model", setup.model},
                   {"started_at", setup.started_at},
                   {"load",
                    {{"arrivals", setup.arrivals},
                     {"mode", setup.mode},
                     {"pixel_format", setup.pixel_format},
                     {"data", setup.data.empty() ? Json(nullptr) : Json(setup.data)},
                     {"images_per_request", setup.images_per_request},
                     {"connections", setup.connections},
                     {"threads", setup.threads},
                     {"warm_up_seconds", setup.warm_up_seconds},
                     {"timeout_seconds", setup.timeout_seconds},
                     {"seed", setup.seed}}},
                   {"runs", Json::array()}};
  for (const Run& run : report.runs) {
    document["runs"].push_back(RunJson(run));
    if (report.search.has_value()) document["runs"].back()["keeps_slo"] = run.verdict.empty();
  }
  if (report.search.has_value()) {
    const Search& search = *report.search;
    document["search"] = {{"slo", search.slo},
                          {"highest_rate", search.best ? Json(*search.best) : Json(nullptr)}};
  }
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ToCsv(const Report& report) {
  std::string text =
      "arrivals,concurrency,wanted_requests_per_second,seconds,answered,failed,wrong,"
      "requests_per_second,images_per_second,mean_seconds";
  for (const Quantile& quantile : kQuantiles) absl::StrAppend(&text, ",", quantile.key, "_seconds");
  text += ",max_seconds,late_sends,held_sends,mean_batch_size,generator_cpu_ratio\n";
  for (const Run& run : report.runs) {
    const Outcome& outcome = run.outcome;
    const Tally& total = outcome.total;
    absl::StrAppendFormat(&text, "%s,%d,%g,%g,%d,%d,%d,%.3f,%.3f,%.9f", report.setup.arrivals,
                          run.concurrency, run.rate, outcome.seconds, total.answered(),
                          total.failed(), total.wrong, outcome.Rate(), outcome.ImageRate(),
                          total.latency.Mean() * 1e-9);
    for (const Quantile& quantile : kQuantiles) {
      text += ",";
      if (Knows(total.latency, quantile.quantile)) {
        absl::StrAppendFormat(&text, "%.9f", Seconds(total.latency.ValueAt(quantile.quantile)));
      }
    }
    absl::StrAppendFormat(&text, ",%.9f,%d,%d,%.3f,%.4f\n", Seconds(total.latency.max()),
                          total.late, total.held, MeanBatch(total), outcome.cost.CpuRatio());
  }
  return text;
}

std::string ToHgrm(const Histogram& latency) {
  std::string text = absl::StrFormat("%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
                                     "1/(1-Percentile)");
  std::int64_t seen = 0;
  for (const Histogram::Slot& slot : latency.Slots()) {
    seen += slot.count;
    const double share = Share(seen, latency.count());
    absl::StrAppendFormat(&text, "%12.6f %14.12f %10d",
                          static_cast<double>(std::min(slot.highest, latency.max())) * 1e-6, share,
                          seen);
    if (seen < latency.count()) absl::StrAppendFormat(&text, " %14.2f", 1 / (1 - share));
    text += "\n";
  }
  absl::StrAppendFormat(&text, "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n",
                        latency.Mean() * 1e-6, latency.StandardDeviation() * 1e-6);
  absl::StrAppendFormat(&text, "#[Max     = %12.6f, Total count    = %12d]\n",
                        static_cast<double>(latency.max()) * 1e-6, latency.count());
  return text;
}

}  // namespace hellocnn::load
