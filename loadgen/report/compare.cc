#include "loadgen/report/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/shown.h"
#include "loadgen/report/text.h"

namespace hellocnn::load {
namespace {

using Json = nlohmann::json;

constexpr double kMostShown = 100;     // the largest relative change that a table shows
constexpr std::size_t kMaxShown = 60;  // of a value in the document
constexpr std::array<const char*, 7> kMetrics = {"rate", "mean", "p50",  "p90",
                                                 "p95",  "p99",  "p99.9"};

// Settings that decide what the figures mean, and others that a reader should know, as they are in
// the document.
using Setting = std::pair<const char*, const char*>;
constexpr std::array<Setting, 7> kDecisive = {
    {{"/load/arrivals", "arrivals"},
     {"/load/mode", "mode"},
     {"/load/low_priority", "low priority"},
     {"/load/images_per_request", "images a request"},
     {"/load/pixel_format", "pixel format"},
     {"/runs/0/concurrency", "requests in flight"},
     {"/runs/0/wanted_requests_per_second", "wanted requests/s"}}};
constexpr std::array<Setting, 15> kNotable = {{{"/model", "model"},
                                               {"/version", "hellocnn"},
                                               {"/load/data", "data"},
                                               {"/load/invert", "inverted"},
                                               {"/load/transpose", "transposed"},
                                               {"/load/connections", "connections"},
                                               {"/load/threads", "threads"},
                                               {"/load/tls", "TLS"},
                                               {"/load/round_robin", "round robin"},
                                               {"/load/most_in_flight", "most requests in flight"},
                                               {"/load/warm_up_seconds", "seconds of warm-up"},
                                               {"/load/duration_seconds", "seconds of measurement"},
                                               {"/load/requests", "requests to measure"},
                                               {"/load/timeout_seconds", "seconds of time limit"},
                                               {"/load/seed", "seed"}}};

// Returns "WHAT: X before, Y after" if the two values at `path` differ.
void AddIfDifferent(const Json& before, const Json& after, const Json::json_pointer& path,
                    const std::string& what, std::vector<std::string>& differences) {
  const auto value = [&](const Json& document) {
    return document.contains(path) ? document.at(path) : Json(nullptr);
  };
  const auto text = [](const Json& one) {
    return one.is_null()     ? std::string("none")
           : one.is_string() ? Shown(one.get<std::string>(), kMaxShown)
           : one.is_number() ? Exact(one.get<double>())
                             : Shown(one.dump(), kMaxShown);
  };
  const Json was = value(before);
  const Json is = value(after);
  // Documents from before a setting existed do not have it, and it was off.
  const auto off = [](const Json& one) { return one.is_null() || one == false; };
  if (was != is && !(off(was) && off(is))) {
    differences.push_back(absl::StrCat(what, ": ", text(was), " before, ", text(is), " after"));
  }
}

// Adds what makes one of the measurements, `name`, doubtful.
void AddDoubts(const Json& document, const std::string& name, Comparison& comparison) {
  const Json& run = document.at("runs").at(0);
  const auto is_true = [](const Json& of, const char* key) {
    return of.is_object() && of.value(key, Json()) == true;
  };
  if (is_true(run, "interrupted")) comparison.differences.push_back(name + " was interrupted");
  if (run.value("steady", Json()) == false) comparison.notes.push_back(name + " was not steady");
  if (!run.value("generator_bound", Json::array()).empty()) {
    comparison.notes.push_back("the generator may have limited " + name);
  }
  if (is_true(run.value("server_metrics", Json()), "restarted")) {
    comparison.notes.push_back("the server was restarted during " + name);
  }
  for (const char* key : {"failed", "unsent"}) {
    const Json number = run.value(key, Json());
    if (!number.is_number_unsigned() || number == 0) continue;
    comparison.notes.push_back(absl::StrCat(Grouped(number.get<std::int64_t>()), " requests of ",
                                            name, " ", key == std::string("failed") ? "" : "were ",
                                            key, ", and no figure here has them"));
  }
}

}  // namespace

absl::StatusOr<Condition> Condition::Parse(const std::string& text) {
  const auto bad = [&](const std::string& why) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "': ", why, "; wanted is a change such as p99>+10% or rate<-5%"));
  };
  const std::size_t sign = text.find_first_of("<>");
  if (sign == std::string::npos) return bad("there is no < or >");
  Condition condition;
  condition.text = text;
  condition.metric = text.substr(0, sign);
  condition.more = text[sign] == '>';
  if (std::find(kMetrics.begin(), kMetrics.end(), condition.metric) == kMetrics.end()) {
    return bad(absl::StrCat("'", condition.metric,
                            "' is not one of rate, mean, p50, p90, p95, p99 and p99.9"));
  }
  std::string number = text.substr(sign + 1);
  if (number.empty() || number.back() != '%') return bad("the change has no %");
  number.pop_back();
  double percent = 0;
  if (!absl::SimpleAtod(number, &percent) || !std::isfinite(percent)) {
    return bad(absl::StrCat("'", number, "' is not a number"));
  }
  condition.relative = percent / 100;
  return condition;
}

bool Condition::Holds(const Change& change) const {
  return change.metric == metric && change.Sure() &&
         (more ? change.Relative() > relative : change.Relative() < relative);
}

absl::StatusOr<Comparison> Compare(const std::string& before, const std::string& after) {
  const absl::StatusOr<SavedRun> old_one = ReadSavedRun(before);
  if (!old_one.ok()) return old_one.status();
  const absl::StatusOr<SavedRun> new_one = ReadSavedRun(after);
  if (!new_one.ok()) return new_one.status();
  Comparison comparison;
  for (const char* metric : kMetrics) {
    const auto was = old_one->estimates.find(metric);
    const auto is = new_one->estimates.find(metric);
    if (was == old_one->estimates.end() || is == new_one->estimates.end()) continue;
    comparison.changes.push_back({metric, std::string(metric) != "rate", was->second, is->second});
  }
  const auto compare = [&](const auto& settings, std::vector<std::string>& differences) {
    for (const auto& [path, what] : settings) {
      AddIfDifferent(old_one->document, new_one->document, Json::json_pointer(path), what,
                     differences);
    }
  };
  compare(kDecisive, comparison.differences);
  compare(kNotable, comparison.notes);
  AddDoubts(old_one->document, "the measurement before", comparison);
  AddDoubts(new_one->document, "the measurement after", comparison);
  return comparison;
}

std::string ToText(const std::vector<Change>& changes) {
  const auto cell = [](const Change& change, const Estimate& estimate) {
    // One unit for the whole cell, which the value chooses.
    const double size = estimate.value;
    const double unit = !change.is_time || size >= 0.9995 ? 1 : size >= 0.9995e-3 ? 1e3 : 1e6;
    return absl::StrCat(Number(unit * size),
                        !change.is_time ? "/s"
                        : unit == 1     ? " s"
                        : unit == 1e3   ? " ms"
                                        : " us",
                        " (", Number(unit * estimate.low), " to ", Number(unit * estimate.high),
                        ")");
  };
  std::string table = absl::StrFormat("%-5s %-30s %-30s%10s\n", "", "before (95% confidence)",
                                      "after (95% confidence)", "change");
  bool noise = false;
  for (const Change& change : changes) {
    const double relative = std::min(change.Relative(), kMostShown);
    absl::StrAppendFormat(
        &table, "%-5s %-30s %-30s%10s%s\n", change.metric, cell(change, change.before),
        cell(change, change.after),
        absl::StrCat(change.Relative() > kMostShown ? ">" : "", relative < 0 ? "" : "+",
                     relative < kMostShown ? Percent(relative) : "10,000%"),
        change.Sure() ? "" : " ~");
    noise = noise || !change.Sure();
  }
  if (noise) table += "~ the two intervals overlap: the change is within the noise\n";
  return table;
}

}  // namespace hellocnn::load
