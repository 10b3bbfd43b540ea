#include "loadgen/report/text_report.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "loadgen/core/analysis.h"
#include "loadgen/core/percentiles.h"
#include "loadgen/report/text.h"

namespace hellocnn::load {
namespace {

double Seconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

std::string Count(std::int64_t count, const std::string& what) {
  return absl::StrCat(Grouped(count), " ", what, count == 1 ? "" : "s");
}

// Returns a load such as "4 requests under way" or "1,000 requests/s, Poisson".
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
  for (const Percentile& percentile : kPercentiles) {
    row += absl::StrFormat(" %9s", Cell(histogram, percentile.quantile));
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

std::string SteadyLine(const Outcome& outcome) {
  const Steadiness& steadiness = outcome.steadiness;
  const double window = std::chrono::duration<double>(outcome.window_length).count();
  if (!steadiness.known) {
    return absl::StrFormat("not known: fewer than %d windows of %.1f s, or too few answers in one",
                           kSteadyWindows, window);
  }
  return absl::StrFormat(
      "%s: over the last %d windows of %.1f s, the rate differs by %.1f%% and %s by %.1f%%",
      steadiness.steady() ? "yes" : "NO", kSteadyWindows, window, 100 * steadiness.rate_spread,
      NameOf(outcome.judged_by), 100 * steadiness.latency_spread);
}

// Returns a number such as "1,204", or "-" if the server does not report it.
std::string Known(std::optional<double> count) {
  return count.has_value() ? Grouped(std::llround(*count)) : "-";
}
std::string KnownTime(std::optional<double> seconds) {
  return seconds.has_value() ? ShortTime(*seconds) : "-";
}

std::string ServerLines(const Run& run) {
  if (!run.server.has_value()) return "";
  const ServerView& server = *run.server;
  const std::int64_t images = run.outcome.total.images + run.outcome.warm_up.images;
  std::string text = "\nthe server's own metrics, with the warm-up\n";
  absl::StrAppend(&text, "  images   ", Known(server.images_answered),
                  " answered, where the client counts ", Grouped(images), "; ",
                  Known(server.images_dropped), " dropped, ", Known(server.requests_refused),
                  " requests refused\n");
  absl::StrAppend(&text, "  batches  ", Known(server.batches));
  if (server.mean_batch_size.has_value()) {
    absl::StrAppendFormat(&text, " of %.2f images", *server.mean_batch_size);
  }
  absl::StrAppend(&text, ", ", KnownTime(server.mean_compute_seconds), " each\n  request  ",
                  KnownTime(server.mean_request_seconds), " on average, ",
                  KnownTime(server.mean_queue_seconds),
                  " of it in the queue; network and gRPC: ", KnownTime(NetworkSeconds(run)),
                  ", by which the client's is longer\n");
  if (server.cpu_seconds.has_value() && server.seconds > 0) {
    absl::StrAppendFormat(&text, "  CPU      %.2f CPUs\n", *server.cpu_seconds / server.seconds);
  }
  return text;
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
  std::string text = absl::StrFormat("%s loop, %s, for %.1f s after %.1f s of warm-up%s\n\n",
                                     outcome.open_loop ? "open" : "closed", LoadOf(setup, run),
                                     outcome.seconds, absl::ToDoubleSeconds(setup.warm_up),
                                     outcome.interrupted ? "; interrupted" : "");
  absl::StrAppend(&text, "requests   ", Grouped(total.answered()), " answered, ",
                  Grouped(total.failed()), " failed (",
                  Percent(Share(total.failed(), total.requests())), ")\n");
  absl::StrAppendFormat(&text, "rate       %.1f requests/s, %.1f images/s\n", outcome.Rate(),
                        outcome.ImageRate());
  if (!setup.data.empty()) {
    absl::StrAppend(&text, "wrong      ", Grouped(total.wrong), " of ", Grouped(total.images),
                    " images (", Percent(Share(total.wrong, total.images)), ")\n");
  }
  absl::StrAppend(&text, "steady     ", SteadyLine(outcome), "\n\n");
  absl::StrAppendFormat(&text, "%-18s %9s", "", "mean");
  for (const Percentile& percentile : kPercentiles)
    absl::StrAppendFormat(&text, " %9s", percentile.name);
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
                          total.MeanBatchSize());
  }
  const OwnCost& cost = outcome.cost;
  absl::StrAppendFormat(
      &text, "generator  %.2f of %g CPUs, its busiest thread %.0f%%; %.1f us of CPU a request\n",
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
  return text + ServerLines(run) + Errors(total) + Warnings(run);
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
    if (outcome.steadiness.known && !outcome.steadiness.steady()) remarks += " not steady";
    if (!JudgeGenerator(outcome).empty()) remarks += " generator-bound";
    if (report.search.has_value()) {
      remarks += run.verdict.empty() ? " kept" : " NOT KEPT: " + run.verdict;
    }
    absl::StrAppendFormat(
        &text, "%12s %10.1f %10.1f %9s %9s %9s %9s %8s %9.1f%s\n",
        outcome.open_loop ? Grouped(std::llround(run.rate)) : Grouped(run.concurrency),
        outcome.Rate(), outcome.ImageRate(), Cell(total.latency, 0.5), Cell(total.latency, 0.9),
        Cell(total.latency, 0.99), Cell(total.latency, 0.999),
        Percent(Share(total.failed(), total.requests())), total.MeanBatchSize(), remarks);
  }
  if (report.search.has_value()) {
    text += report.search->best.has_value()
                ? absl::StrFormat("\n%.0f requests/s is the highest rate tried that keeps %s\n",
                                  *report.search->best, report.search->slo)
                : absl::StrCat("\nno rate that was tried keeps ", report.search->slo, "\n");
  }
  return text;
}

}  // namespace

std::string ToText(const Report& report) {
  return Header(report.setup) + (report.runs.size() == 1 && !report.search.has_value()
                                     ? OneRun(report.setup, report.runs.front())
                                     : ManyRuns(report));
}

}  // namespace hellocnn::load
