#include "loadgen/report/text_report.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/shown.h"
#include "loadgen/core/analysis.h"
#include "loadgen/core/percentiles.h"
#include "loadgen/report/text.h"

namespace hellocnn::load {
namespace {

constexpr std::size_t kMaxMessage = 300;  // most bytes of a server's message that are shown

double Seconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

std::string Count(std::int64_t count, const std::string& what) {
  return absl::StrCat(Grouped(count), " ", what, count == 1 ? "" : "s");
}

// Returns a load such as "4 requests in flight" or "1,000 requests/s, poisson".
std::string LoadOf(const Setup& setup, const Run& run) {
  if (!run.outcome.open_loop) return Count(run.concurrency, "request") + " in flight";
  if (setup.arrivals == "recorded") return "requests at recorded times";
  if (setup.arrivals == "ramp") return "a ramp to " + Exact(run.rate) + " requests/s";
  return absl::StrCat(Exact(run.rate), " requests/s, ", setup.arrivals);
}

std::string Header(const Setup& setup) {
  return Wrapped("", setup.model + " at " + setup.target, 0) +
         Wrapped(
             "",
             absl::StrCat(setup.mode == "stream" ? "streams" : "unary calls", " on ",
                          Count(setup.connections, "connection"),
                          setup.round_robin ? " to each address" : "", setup.tls ? " with TLS" : "",
                          setup.priority == "low" ? " with low priority, " : ", ",
                          Count(setup.images_per_request, setup.pixel_format + " image"),
                          " a request, ", setup.data.empty() ? "generated" : "of " + setup.data,
                          setup.mending.invert ? ", inverted" : "",
                          setup.mending.transpose ? ", transposed" : ""),
             0);
}

std::string Cell(const Histogram& histogram, double quantile) {
  return Knows(histogram, quantile) ? ShortTime(Seconds(histogram.ValueAt(quantile))) : "-";
}

// Returns the table of times: a column for each part of the latency, a row for each percentile that
// is known.
std::string Times(const Outcome& outcome) {
  struct Column {
    const char* above;
    const char* name;
    const Histogram& times;
  };
  const Tally& total = outcome.total;
  std::vector<Column> columns = {{"", "latency", total.latency}};
  if (outcome.open_loop) {
    columns.push_back({"", "send lag", total.lag});
    columns.push_back({"service", "time", total.service});
  }
  if (total.queue.count() > 0) {
    columns.push_back({"server:", "queue", total.queue});
    columns.push_back({"server:", "compute", total.compute});
    columns.push_back({"network,", "gRPC", total.network});
  }
  const auto row = [&](const std::string& name, auto cell) {
    std::string line = absl::StrFormat("%-8s", name);
    for (const Column& column : columns) absl::StrAppendFormat(&line, " %11s", cell(column));
    line.erase(line.find_last_not_of(' ') + 1);
    return line + "\n";
  };
  std::string text;
  if (columns.size() > 1) text += row("", [](const Column& column) { return column.above; });
  text += row("", [](const Column& column) { return column.name; });
  text += row("mean", [](const Column& column) {
    return column.times.count() > 0 ? ShortTime(column.times.Mean() * 1e-9) : "-";
  });
  for (const Percentile& percentile : kPercentiles) {
    if (!Knows(total.latency, percentile.quantile)) continue;
    text += row(percentile.name,
                [&](const Column& column) { return Cell(column.times, percentile.quantile); });
  }
  return text + row("max", [](const Column& column) {
           return column.times.count() > 0 ? ShortTime(Seconds(column.times.max())) : "-";
         });
}

std::string Errors(const Tally& total) {
  std::string text;
  for (int code = 1; code < kCodes; ++code) {
    if (total.by_code[code] == 0) continue;
    text += absl::StrFormat("  %-20s %13s\n", CodeName(code), Grouped(total.by_code[code]));
    for (const std::string& message : total.messages[code]) {
      text += Wrapped("", message.empty() ? "(no message)" : Shown(message, kMaxMessage), 4);
    }
  }
  return text.empty() ? "" : "\nerrors\n" + text;
}

std::string SteadyLine(const Outcome& outcome) {
  const Steadiness& steadiness = outcome.steadiness;
  const std::string windows =
      absl::StrFormat("%d windows of %s", kSteadyWindows,
                      ShortTime(std::chrono::duration<double>(outcome.window_length).count()));
  if (!steadiness.known) {
    return "not known: fewer than " + windows + ", or too few responses in one";
  }
  return absl::StrCat(steadiness.steady() ? "yes" : "NO", ": over the last ", windows,
                      ", the rate differs by ", Percent(steadiness.rate_spread), " and ",
                      NameOf(outcome.judged_by), " by ", Percent(steadiness.latency_spread));
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
  std::string text = "\nthe server's own metrics, with the warm-up\n";
  if (!server.problem.empty()) {
    return text + Wrapped("",
                          absl::StrCat(server.restarted ? "THE SERVER WAS RESTARTED: " : "",
                                       server.problem, "; so there is nothing to compare"),
                          2);
  }
  const std::int64_t images = run.outcome.total.images + run.outcome.warm_up.images;
  text += Wrapped("  images",
                  absl::StrCat(Known(server.images_answered), " computed, where the client counts ",
                               Grouped(images), "; ", Known(server.images_dropped), " dropped, ",
                               Known(server.requests_refused), " requests rejected"));
  text += Wrapped("  batches", absl::StrCat(Known(server.batches),
                                            server.mean_batch_size.has_value()
                                                ? " of " + Number(*server.mean_batch_size) +
                                                      " images on average, "
                                                : ", ",
                                            KnownTime(server.mean_compute_seconds), " each"));
  text += Wrapped("  request",
                  absl::StrCat(KnownTime(server.mean_request_seconds), " on average, ",
                               KnownTime(server.mean_queue_seconds),
                               " of it in the queue; the client's is longer by ",
                               KnownTime(NetworkSeconds(run)), ", for the network and gRPC"));
  if (server.cpu_seconds.has_value() && server.seconds > 0) {
    text += Wrapped("  CPU", Number(*server.cpu_seconds / server.seconds) + " CPUs");
  }
  return text;
}

std::string Warnings(const Run& run) {
  const std::vector<std::string> reasons = JudgeGenerator(run.outcome);
  if (reasons.empty()) return "";
  std::string text = "\nTHE GENERATOR, NOT THE SERVER, MAY BE WHAT WAS MEASURED\n";
  for (const std::string& reason : reasons) text += Wrapped("", reason, 2);
  return text;
}

std::string Interruption(const Outcome& outcome) {
  if (!outcome.interrupted) return "";
  std::string text = "the figures cover what was measured until then";
  if (outcome.cancelled > 0) {
    absl::StrAppend(&text, "; ", Count(outcome.cancelled, "request"),
                    " still in flight, which no figure counts");
  }
  return Wrapped("", absl::StrCat("INTERRUPTED after ", ShortTime(outcome.seconds), ": ", text), 0);
}

std::string OneRun(const Setup& setup, const Run& run) {
  const Outcome& outcome = run.outcome;
  const Tally& total = outcome.total;
  std::string text =
      Wrapped("",
              absl::StrCat(outcome.open_loop ? "open" : "closed", " loop, ", LoadOf(setup, run),
                           ", for ", ShortTime(outcome.seconds), " after ",
                           ShortTime(absl::ToDoubleSeconds(setup.warm_up)), " of warm-up"),
              0);
  absl::StrAppend(&text, Interruption(outcome), "\n");
  text += Wrapped("requests",
                  absl::StrCat(Grouped(total.answered()), " succeeded, ", Grouped(total.failed()),
                               " failed (", Percent(Share(total.failed(), total.requests())), ")"));
  if (outcome.open_loop) {
    text += Wrapped("unsent", Grouped(outcome.unsent) + " due before the end and never sent");
  }
  text += Wrapped("rate", absl::StrCat(Number(outcome.Rate()), " requests/s, ",
                                       Number(outcome.ImageRate()), " images/s"));
  if (!setup.data.empty()) {
    text +=
        Wrapped("wrong", absl::StrCat(Grouped(total.wrong), " of ", Grouped(total.images),
                                      " images (", Percent(Share(total.wrong, total.images)), ")"));
  }
  absl::StrAppend(&text, Wrapped("steady", SteadyLine(outcome)), "\n", Times(outcome), "\n");
  if (total.queue.count() > 0) {
    text += Wrapped("batches", absl::StrCat("of ", Number(total.MeanBatchSize()),
                                            " images on average, as a request sees them"));
  }
  const OwnCost& cost = outcome.cost;
  std::string own = absl::StrCat(Number(cost.CpuRatio() * cost.cpus), " of ", Number(cost.cpus),
                                 " CPUs, its busiest thread ", Percent(cost.busiest_thread));
  if (total.requests() > 0) {
    absl::StrAppend(&own, "; ", ShortTime(cost.cpu_seconds / static_cast<double>(total.requests())),
                    " of CPU a request");
  }
  text += Wrapped("generator", own);
  if (outcome.open_loop) {
    std::string late = Grouped(total.late) + " sends more than 1 ms late by the generator's fault";
    if (total.held > 0) {
      absl::StrAppend(&late, "; ", Grouped(total.held), " held back, as ",
                      Grouped(setup.most_in_flight), " requests were in flight");
    }
    text += Wrapped("late", late);
  }
  return text + ServerLines(run) + Errors(total) + Warnings(run);
}

std::vector<std::string> Remarks(const Report& report, const Run& run) {
  const Outcome& outcome = run.outcome;
  std::vector<std::string> remarks;
  if (outcome.interrupted) {
    remarks.push_back("INTERRUPTED");
  } else if (report.search.has_value()) {
    remarks.push_back(run.verdict.empty() ? "kept" : "NOT KEPT: " + run.verdict);
  }
  if (outcome.steadiness.known && !outcome.steadiness.steady()) remarks.push_back("not steady");
  if (outcome.unsent > 0) remarks.push_back(Grouped(outcome.unsent) + " unsent");
  if (!JudgeGenerator(outcome).empty()) remarks.push_back("generator-bound");
  if (run.server.has_value() && !run.server->problem.empty()) {
    remarks.push_back(run.server->problem);
  }
  return remarks;
}

constexpr char kRow[] = "%10s %11s %9s %9s %9s %8s %6s";

}  // namespace

std::string TableHead(const Report& report) {
  return Header(report.setup) +
         absl::StrFormat(kRow, report.setup.arrivals == "closed" ? "in flight" : "wanted/s",
                         "requests/s", "p50", "p99", "p99.9", "failed", "batch") +
         "\n";
}

std::string TableRow(const Report& report, const Run& run) {
  const Outcome& outcome = run.outcome;
  const Tally& total = outcome.total;
  std::string row = absl::StrFormat(
      kRow, outcome.open_loop ? Exact(run.rate) : Grouped(run.concurrency), Number(outcome.Rate()),
      Cell(total.latency, 0.5), Cell(total.latency, 0.99), Cell(total.latency, 0.999),
      Percent(Share(total.failed(), total.requests())), Number(total.MeanBatchSize()));
  const std::string remarks = Printable(absl::StrJoin(Remarks(report, run), "; "));
  if (remarks.empty()) return row + "\n";
  if (row.size() + 2 + remarks.size() <= kColumns) return row + "  " + remarks + "\n";
  return row + "\n" + Wrapped("", remarks, 11);
}

std::string TableEnd(const Report& report) {
  std::string text;
  if (report.interrupted()) {
    const int missing = report.planned_runs - static_cast<int>(report.runs.size());
    absl::StrAppend(&text, "\nINTERRUPTED: ",
                    report.search.has_value() ? "the search"
                    : missing > 0 ? absl::StrCat("lines are missing: ", missing, "; the last line")
                                  : "the last line",
                    " is not complete\n");
  }
  if (!report.search.has_value()) return text;
  const Search& search = *report.search;
  std::string result;
  if (!search.best.has_value()) {
    result = "no rate that was tried keeps " + search.slo;
  } else if (search.complete) {
    result = absl::StrCat(Exact(*search.best), " requests/s is the highest rate tried that keeps ",
                          search.slo);
  } else {
    result = absl::StrCat(Exact(*search.best), " requests/s kept ", search.slo,
                          "; higher rates were still to be tried");
  }
  return absl::StrCat(text, "\n", Wrapped("", result, 0));
}

std::string ToText(const Report& report) {
  if (!report.table()) return Header(report.setup) + OneRun(report.setup, report.runs.front());
  std::string text = TableHead(report);
  for (const Run& run : report.runs) text += TableRow(report, run);
  return text + TableEnd(report);
}

}  // namespace hellocnn::load
