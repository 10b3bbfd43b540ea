#include "loadgen/tune/tune_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "loadgen/report/json.h"
#include "loadgen/report/text.h"

namespace hellocnn::load {
namespace {

using Json = nlohmann::ordered_json;

std::string RateText(std::optional<double> rate) {
  return rate.has_value() ? Exact(*rate) + " requests/s" : "no rate";
}

Json SettingsJson(const ServerSettings& settings) {
  return {{"threads", settings.threads},
          {"max_batch_size", settings.max_batch_size},
          {"max_queue_delay_seconds", absl::ToDoubleSeconds(settings.max_queue_delay)},
          {"flags", FlagsOf(settings)}};
}

}  // namespace

std::string TrialHead(const std::string& limited) {
  return absl::StrFormat("%7s %6s %9s %10s %9s\n", "threads", "batch", "delay", "wanted/s",
                         limited);
}

std::string TrialRow(const Trial& trial) {
  const std::string row =
      absl::StrFormat("%7d %6d %9s %10s %9s", trial.settings.threads, trial.settings.max_batch_size,
                      absl::FormatDuration(trial.settings.max_queue_delay), Exact(trial.rate),
                      ShortTime(trial.latency_seconds));
  const std::string remarks = absl::StrCat(trial.kept() ? "kept" : "NOT KEPT: " + trial.verdict,
                                           trial.generator_bound ? "; generator-bound" : "");
  if (row.size() + 2 + remarks.size() <= kColumns) return row + "  " + remarks + "\n";
  return absl::StrCat(row, "\n", Wrapped("", remarks, 8));
}

std::string Conclusion(const Tuned& tuned, const TunePlan& plan, const std::string& slo) {
  if (tuned.interrupted) {
    return "\nINTERRUPTED: the search is not complete, so there is no advice\n";
  }
  std::string text = absl::StrCat(
      "\n", Wrapped("defaults", absl::StrCat(FlagsOf(plan.defaults), ": ",
                                             RateText(tuned.default_rate), " within ", slo)));
  if (tuned.rounds > 0) {
    text += Wrapped("best", absl::StrCat(FlagsOf(tuned.best), ": ", RateText(tuned.best_rate)));
    text += Wrapped("again", absl::StrCat("at that rate, in turn: the best kept the limit in ",
                                          tuned.best_kept, " of ", tuned.rounds,
                                          " rounds, the defaults in ", tuned.defaults_kept));
  }
  if (!tuned.complete) {
    text += Wrapped("budget", "spent before all had been tried; --budget gives more");
  }
  if (std::any_of(tuned.trials.begin(), tuned.trials.end(),
                  [](const Trial& trial) { return trial.generator_bound; })) {
    text +=
        Wrapped("note", "where it says generator-bound, the generator may be what was measured");
  }
  text += "\n";
  if (!tuned.best_rate.has_value()) return text + "nothing that was tried keeps " + slo + "\n";
  if (tuned.better()) {
    return text + Wrapped("use", "hellocnn-server " + FlagsOf(tuned.best));
  }
  return text +
         Wrapped("use", absl::StrCat("the defaults: ", tuned.rounds > 0
                                                           ? "the difference is within the noise"
                                                           : "nothing that was tried does better"));
}

std::string ToJson(const Tuned& tuned, const TunePlan& plan, const std::string& slo) {
  const auto rate = [](std::optional<double> of) { return of ? Json(*of) : Json(nullptr); };
  const bool use_best = tuned.better();
  Json document = {{"slo", slo},
                   {"interrupted", tuned.interrupted},
                   {"use", tuned.interrupted ? Json(nullptr)
                                             : SettingsJson(use_best ? tuned.best : plan.defaults)},
                   {"better_than_defaults", use_best},
                   {"defaults",
                    {{"settings", SettingsJson(plan.defaults)},
                     {"highest_rate", rate(tuned.default_rate)},
                     {"rounds_kept", tuned.defaults_kept}}},
                   {"best",
                    {{"settings", SettingsJson(tuned.best)},
                     {"highest_rate", rate(tuned.best_rate)},
                     {"rounds_kept", tuned.best_kept}}},
                   {"rounds", tuned.rounds},
                   {"complete", tuned.complete && !tuned.interrupted},
                   {"trials", Json::array()}};
  for (const Trial& trial : tuned.trials) {
    document["trials"].push_back({{"settings", SettingsJson(trial.settings)},
                                  {"wanted_requests_per_second", trial.rate},
                                  {"requests_per_second", trial.answered_rate},
                                  {"limited_latency_seconds", trial.latency_seconds},
                                  {"kept", trial.kept()},
                                  {"why_not", trial.verdict},
                                  {"generator_bound", trial.generator_bound}});
  }
  return DumpJson(document, 2) + "\n";
}

}  // namespace hellocnn::load
