#include "loadgen/report/data_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/version.h"
#include "loadgen/core/analysis.h"
#include "loadgen/core/percentiles.h"
#include "loadgen/report/json.h"
#include "loadgen/report/text.h"

namespace hellocnn::load {
namespace {

using Json = nlohmann::ordered_json;

double Seconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

Json Summary(const Histogram& histogram) {
  Json summary = {{"count", histogram.count()},
                  {"mean", histogram.Mean() * 1e-9},
                  {"standard_deviation", histogram.StandardDeviation() * 1e-9},
                  {"min", Seconds(histogram.min())}};
  for (const Percentile& percentile : kPercentiles) {
    summary[percentile.key] = Knows(histogram, percentile.quantile)
                                  ? Json(Seconds(histogram.ValueAt(percentile.quantile)))
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

template <typename Value>
Json OrNull(const std::optional<Value>& value) {
  return value.has_value() ? Json(*value) : Json(nullptr);
}

Json ServerJson(const Run& run) {
  if (!run.server.has_value()) return nullptr;
  const ServerView& server = *run.server;
  return {{"problem", server.problem.empty() ? Json(nullptr) : Json(server.problem)},
          {"restarted", server.restarted},
          {"seconds", server.seconds},
          {"images_answered", OrNull(server.images_answered)},
          {"images_dropped", OrNull(server.images_dropped)},
          {"requests_answered", OrNull(server.requests_answered)},
          {"requests_refused", OrNull(server.requests_refused)},
          {"batches", OrNull(server.batches)},
          {"mean_batch_size", OrNull(server.mean_batch_size)},
          {"mean_request_seconds", OrNull(server.mean_request_seconds)},
          {"mean_queue_seconds", OrNull(server.mean_queue_seconds)},
          {"mean_compute_seconds", OrNull(server.mean_compute_seconds)},
          {"cpu_seconds", OrNull(server.cpu_seconds)},
          {"mean_network_and_grpc_seconds", OrNull(NetworkSeconds(run))},
          {"images_by_client", run.outcome.total.images + run.outcome.warm_up.images}};
}

Json RunJson(const Run& run) {
  const Outcome& outcome = run.outcome;
  const Tally& total = outcome.total;
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
  json["unsent"] = outcome.unsent;
  json["cancelled"] = outcome.cancelled;
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
                    {"mean_batch_size", total.MeanBatchSize()}};
  json["network_and_grpc_seconds"] = Summary(total.network);
  json["server_metrics"] = ServerJson(run);
  json["generator"] = {{"cpu_seconds", outcome.cost.cpu_seconds},
                       {"cpus", outcome.cost.cpus},
                       {"cpu_ratio", outcome.cost.CpuRatio()},
                       {"busiest_thread_ratio", outcome.cost.busiest_thread}};
  json["generator_bound"] = JudgeGenerator(outcome);
  const Steadiness& steadiness = outcome.steadiness;
  json["steady"] = steadiness.known ? Json(steadiness.steady()) : Json(nullptr);
  json["steadiness"] = {{"window_seconds", Seconds(outcome.window_length.count())},
                        {"judged_by", NameOf(outcome.judged_by)},
                        {"rate_spread", steadiness.rate_spread},
                        {"latency_spread", steadiness.latency_spread}};
  json["windows"] = Json::array();
  for (const Window& window : outcome.windows) {
    json["windows"].push_back({{"start_seconds", window.start_seconds},
                               {"length_seconds", window.length_seconds},
                               {"answered", window.answered},
                               {"failed", window.failed},
                               {"images", window.images},
                               {"p50_seconds", Seconds(window.p50)},
                               {"p99_seconds", Seconds(window.p99)},
                               {"max_seconds", Seconds(window.max)},
                               {"in_flight", window.in_flight}});
  }
  // Counts by the upper end of their slot, in nanoseconds.
  json["latency_histogram"] = Json::array();
  for (const Histogram::Slot& slot : total.latency.Slots()) {
    json["latency_histogram"].push_back({std::min(slot.highest, total.latency.max()), slot.count});
  }
  return json;
}

}  // namespace

std::string ToJson(const Report& report) {
  const Setup& setup = report.setup;
  const auto set = [](auto value, bool is_set) { return is_set ? Json(value) : Json(nullptr); };
  Json document = {{"format", kFormat},
                   {"version", kVersion},
                   {"target", setup.target},
                   {"model", setup.model},
                   {"started_at", setup.started_at},
                   {"load",
                    {{"arrivals", setup.arrivals},
                     {"mode", setup.mode},
                     {"low_priority", setup.priority == "low"},
                     {"pixel_format", setup.pixel_format},
                     {"data", set(setup.data, !setup.data.empty())},
                     {"images_per_request", setup.images_per_request},
                     {"connections", setup.connections},
                     {"tls", setup.tls},
                     {"invert", setup.mending.invert},
                     {"transpose", setup.mending.transpose},
                     {"round_robin", setup.round_robin},
                     {"threads", setup.threads},
                     {"warm_up_seconds", absl::ToDoubleSeconds(setup.warm_up)},
                     {"duration_seconds", set(absl::ToDoubleSeconds(setup.duration),
                                              setup.duration > absl::ZeroDuration())},
                     {"requests", set(setup.requests, setup.requests > 0)},
                     {"most_in_flight", set(setup.most_in_flight, setup.arrivals != "closed")},
                     {"timeout_seconds", absl::ToDoubleSeconds(setup.timeout)},
                     {"seed", setup.seed}}},
                   {"interrupted", report.interrupted()},
                   {"planned_runs", set(report.planned_runs, !report.search.has_value())},
                   {"runs", Json::array()}};
  for (const Run& run : report.runs) {
    document["runs"].push_back(RunJson(run));
    if (!report.search.has_value()) continue;
    document["runs"].back()["keeps_slo"] = set(run.verdict.empty(), !run.outcome.interrupted);
  }
  if (report.search.has_value()) {
    // A search that is not complete has no highest rate yet.
    const Search& search = *report.search;
    document["search"] = {
        {"slo", search.slo},
        {"complete", search.complete},
        {"highest_rate", set(search.best.value_or(0), search.complete && search.best.has_value())},
        {"highest_rate_so_far", OrNull(search.best)}};
  }
  return DumpJson(document, 2) + "\n";
}

std::string ToCsv(const Report& report) {
  std::string text = CsvHead();
  for (const Run& run : report.runs) text += CsvRow(report, run);
  return text;
}

std::string CsvHead() {
  std::string text =
      "arrivals,concurrency,wanted_requests_per_second,seconds,answered,failed,wrong,"
      "requests_per_second,images_per_second,mean_seconds";
  for (const Percentile& percentile : kPercentiles)
    absl::StrAppend(&text, ",", percentile.key, "_seconds");
  return text +
         ",max_seconds,late_sends,held_sends,mean_batch_size,generator_cpu_ratio,unsent,cancelled,"
         "interrupted,server_restarted\n";
}

std::string CsvRow(const Report& report, const Run& run) {
  const Outcome& outcome = run.outcome;
  const Tally& total = outcome.total;
  std::string text = absl::StrFormat(
      "%s,%d,%.9g,%.9g,%d,%d,%d,%.3f,%.3f,%.9f", report.setup.arrivals, run.concurrency, run.rate,
      outcome.seconds, total.answered(), total.failed(), total.wrong, outcome.Rate(),
      outcome.ImageRate(), total.latency.Mean() * 1e-9);
  for (const Percentile& percentile : kPercentiles) {
    text += ",";
    if (Knows(total.latency, percentile.quantile)) {
      absl::StrAppendFormat(&text, "%.9f", Seconds(total.latency.ValueAt(percentile.quantile)));
    }
  }
  absl::StrAppendFormat(&text, ",%.9f,%d,%d,%.3f,%.4f,%d,%d,%s,%s\n", Seconds(total.latency.max()),
                        total.late, total.held, total.MeanBatchSize(), outcome.cost.CpuRatio(),
                        outcome.unsent, outcome.cancelled, outcome.interrupted ? "true" : "false",
                        !run.server.has_value() ? ""
                        : run.server->restarted ? "true"
                                                : "false");
  return text;
}

std::string ToHgrm(const Outcome& outcome) {
  const Histogram& latency = outcome.total.latency;
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
  if (outcome.interrupted) text += "#[Interrupted: this is what was measured until then]\n";
  return text;
}

}  // namespace hellocnn::load
