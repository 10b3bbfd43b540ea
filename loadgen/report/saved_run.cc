#include "loadgen/report/saved_run.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/input.h"
#include "base/shown.h"
#include "loadgen/report/data_report.h"

namespace hellocnn::load {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;
// 95% of a normal distribution lie within this many standard deviations.
constexpr double kZ = 1.96;
constexpr std::array<std::pair<const char*, double>, 5> kQuantiles = {
    {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p99.9", 0.999}}};

using Slots = std::vector<std::pair<double, double>>;  // upper end in seconds, count

double ValueOfRank(const Slots& slots, double rank) {
  double seen = 0;
  for (const auto& [value, count] : slots) {
    seen += count;
    if (seen >= rank) return value;
  }
  return slots.back().first;
}

// Returns the estimate of a quantile. The number of n independent values below the quantile is
// binomial. This bounds the ranks between which the true quantile lies.
Estimate QuantileOf(const Slots& slots, double n, double quantile) {
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
// the last one may be cut short. `seconds` > 0.
Estimate RateOf(double rate, const Json& windows, double seconds) {
  std::vector<double> rates;
  for (const Json& window : windows) {
    const double length = window.at("length_seconds").get<double>();
    if (window.at("start_seconds").get<double>() + length > seconds + 1e-6) continue;
    rates.push_back(window.at("answered").get<double>() / length);
  }
  // Too few windows show how the rate varies: that of independent responses varies like this.
  if (rates.size() < 2) return MeanOf(rate, std::sqrt(rate / std::max(seconds, 1e-9)), 1);
  double mean = 0;
  for (const double value : rates) mean += value / static_cast<double>(rates.size());
  double squares = 0;
  for (const double value : rates) squares += (value - mean) * (value - mean);
  const auto n = static_cast<double>(rates.size());
  return MeanOf(rate, std::sqrt(squares / (n - 1)), n);
}

// A number of the document that counts something.
double CountOf(const Json& number) {
  if (!number.is_number_unsigned()) throw std::invalid_argument("a count is no whole number");
  return number.get<double>();
}

// Throws an exception if the document does not have the expected form.
std::map<std::string, Estimate> EstimatesOf(const Json& run) {
  std::map<std::string, Estimate> estimates;
  const Json& latency = run.at("latency_seconds");
  const double count = CountOf(latency.at("count"));
  if (count == 0) return estimates;
  estimates["rate"] = RateOf(run.at("requests_per_second").get<double>(), run.at("windows"),
                             run.at("seconds").get<double>());
  estimates["mean"] = MeanOf(latency.at("mean").get<double>(),
                             latency.at("standard_deviation").get<double>(), count);
  Slots slots;
  double total = 0;
  for (const Json& slot : run.at("latency_histogram")) {
    const double seconds = slot.at(0).get<double>() * 1e-9;
    if (!slots.empty() && seconds < slots.back().first) {
      throw std::invalid_argument("the histogram does not ascend");
    }
    slots.emplace_back(seconds, CountOf(slot.at(1)));
    total += slots.back().second;
  }
  if (total != count) throw std::invalid_argument("the histogram has another count");
  for (const auto& [name, quantile] : kQuantiles) {
    // With fewer responses, none lies beyond the quantile.
    if (total * (1 - quantile) < 1 - 1e-9) continue;
    estimates[name] = QuantileOf(slots, total, quantile);
  }
  return estimates;
}

}  // namespace

absl::StatusOr<SavedRun> ReadSavedRun(const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadText(path, kMaxFileBytes);
  if (!bytes.ok()) return bytes.status();
  const auto bad = [&](const std::string& found) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": ", found, "; wanted is what `hellocnn load --output json` writes, of one run"));
  };
  SavedRun saved;
  Json& document = saved.document;
  document = Json::parse(*bytes, nullptr, /*allow_exceptions=*/false);
  if (document.is_discarded()) return bad("this is not JSON");
  if (!document.is_object() || !document.contains("runs") || !document["runs"].is_array()) {
    return bad("this is no report of a load");
  }
  if (!document.contains("format")) return bad("there is no format number in it");
  if (document["format"] != kFormat) {
    return bad(absl::StrCat("its format is ", Shown(document["format"].dump(), 20),
                            ", and this program reads format ", kFormat));
  }
  if (document["runs"].size() != 1) {
    return bad(absl::StrCat("there are ", document["runs"].size(), " runs in it"));
  }
  try {
    saved.estimates = EstimatesOf(document["runs"][0]);
  } catch (const std::exception& error) {
    return bad(absl::StrCat("it is damaged: ", error.what()));
  }
  if (saved.estimates.empty()) return bad("no request succeeded");
  return saved;
}

}  // namespace hellocnn::load
