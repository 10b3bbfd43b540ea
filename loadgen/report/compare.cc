#include "loadgen/report/compare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/input.h"
#include "loadgen/report/text.h"

namespace hellocnn::load {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;
// 95% of a normal distribution lie within this many standard deviations.
constexpr double kZ = 1.96;
constexpr std::array<const char*, 7> kMetrics = {"rate", "mean", "p50",  "p90",
                                                 "p95",  "p99",  "p99.9"};
constexpr std::array<std::pair<const char*, double>, 5> kQuantiles = {
    {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p99.9", 0.999}}};

using Slots = std::vector<std::pair<double, std::int64_t>>;  // upper end in seconds, count

double ValueOfRank(const Slots& slots, double rank) {
  double seen = 0;
  for (const auto& [value, count] : slots) {
    seen += static_cast<double>(count);
    if (seen >= rank) return value;
  }
  return slots.back().first;
}

// Returns the estimate of a quantile. The number of n independent values below the quantile is
// binomial. This bounds the ranks between which the true quantile lies.
Estimate QuantileOf(const Slots& slots, std::int64_t total, double quantile) {
  const auto n = static_cast<double>(total);
  const double rank = quantile * n;
  const double deviation = std::sqrt(n * quantile * (1 - quantile));
  return {ValueOfRank(slots, std::ceil(rank - 1e-6)),
          ValueOfRank(slots, std::max(1.0, std::floor(rank - kZ * deviation))),
          ValueOfRank(slots, std::min(n, std::ceil(rank + kZ * deviation) + 1))};
}

Estimate MeanOf(double mean, double deviation, double count) {
  const double error = kZ * deviation / std::sqrt(count);
  return {mean, mean - error, mean + error};
}

// Returns the estimate of the rate from the rates of the windows. Only whole windows count, because
// the last one may be cut short.
Estimate RateOf(double rate, const Json& windows, double seconds) {
  std::vector<double> rates;
  for (const Json& window : windows) {
    const double length = window.at("length_seconds").get<double>();
    if (window.at("start_seconds").get<double>() + length > seconds + 1e-6) continue;
    rates.push_back(window.at("answered").get<double>() / length);
  }
  if (rates.size() < 2) return {rate, rate, rate};
  double mean = 0;
  for (const double value : rates) mean += value / static_cast<double>(rates.size());
  double squares = 0;
  for (const double value : rates) squares += (value - mean) * (value - mean);
  const auto n = static_cast<double>(rates.size());
  return MeanOf(rate, std::sqrt(squares / (n - 1)), n);
}

// Throws an exception of nlohmann-json if the document does not have the expected form.
std::map<std::string, Estimate> EstimatesOf(const Json& run) {
  std::map<std::string, Estimate> estimates;
  const Json& latency = run.at("latency_seconds");
  const auto count = latency.at("count").get<std::int64_t>();
  if (count == 0) return estimates;
  estimates["rate"] = RateOf(run.at("requests_per_second").get<double>(), run.at("windows"),
                             run.at("seconds").get<double>());
  estimates["mean"] =
      MeanOf(latency.at("mean").get<double>(), latency.at("standard_deviation").get<double>(),
             static_cast<double>(count));
  Slots slots;
  std::int64_t total = 0;
  for (const Json& slot : run.at("latency_histogram")) {
    slots.emplace_back(slot.at(0).get<double>() * 1e-9, slot.at(1).get<std::int64_t>());
    total += slots.back().second;
  }
  if (slots.empty()) return estimates;
  for (const auto& [name, quantile] : kQuantiles) {
    // With fewer responses, none lies beyond the quantile.
    if (static_cast<double>(total) * (1 - quantile) < 1 - 1e-9) continue;
    estimates[name] = QuantileOf(slots, total, quantile);
  }
  return estimates;
}

absl::StatusOr<std::map<std::string, Estimate>> Read(const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadInput(path, kMaxFileBytes);
  if (!bytes.ok()) return bytes.status();
  const Json document = Json::parse(*bytes, nullptr, /*allow_exceptions=*/false);
  const std::string wanted = "; wanted is what `hellocnn load --output json` writes";
  if (document.is_discarded())
    return absl::InvalidArgumentError(path + ": this is not JSON" + wanted);
  try {
    const Json& runs = document.at("runs");
    if (runs.size() != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": there are ", runs.size(), " runs in it; wanted is one"));
    }
    return EstimatesOf(runs.at(0));
  } catch (const Json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", error.what(), wanted));
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

absl::StatusOr<std::vector<Change>> Compare(const std::string& before, const std::string& after) {
  const auto old_estimates = Read(before);
  if (!old_estimates.ok()) return old_estimates.status();
  const auto new_estimates = Read(after);
  if (!new_estimates.ok()) return new_estimates.status();
  std::vector<Change> changes;
  for (const char* metric : kMetrics) {
    const auto was = old_estimates->find(metric);
    const auto is = new_estimates->find(metric);
    if (was == old_estimates->end() || is == new_estimates->end()) continue;
    changes.push_back({metric, std::string(metric) != "rate", was->second, is->second});
  }
  return changes;
}

std::string ToText(const std::vector<Change>& changes) {
  const auto cell = [](const Change& change, const Estimate& estimate) {
    const auto text = [&](double value) {
      return change.is_time ? ShortTime(value) : absl::StrFormat("%.1f/s", value);
    };
    return absl::StrFormat("%s (%s to %s)", text(estimate.value), text(estimate.low),
                           text(estimate.high));
  };
  std::string table =
      absl::StrFormat("%-6s %-36s %-36s %8s\n", "", "before (95% confidence)", "after", "change");
  for (const Change& change : changes) {
    absl::StrAppendFormat(&table, "%-6s %-36s %-36s %+7.1f%%%s\n", change.metric,
                          cell(change, change.before), cell(change, change.after),
                          100 * change.Relative(), change.Sure() ? "" : "  within the noise");
  }
  return table;
}

}  // namespace hellocnn::load
