#include "loadgen/core/search.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "loadgen/report/text.h"

namespace hellocnn::load {
namespace {

constexpr double kNarrow = 1.05;        // the lowest failed rate divided by the highest passed rate
constexpr double kMostFailed = 0.001;   // share of the requests
constexpr double kLeastReached = 0.95;  // share of the wanted rate

// Returns `rate` with three digits.
double ThreeDigits(double rate) {
  const double unit = std::pow(10, std::floor(std::log10(rate)) - 2);
  return unit < 1 ? std::round(rate / unit) / std::round(1 / unit) : std::round(rate / unit) * unit;
}

}  // namespace

absl::StatusOr<Slo> Slo::Parse(const std::string& text) {
  const auto bad = [&](const std::string& why) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "': ", why, "; wanted is a limit such as p99=5ms or mean=1ms"));
  };
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos) return bad("there is no '='");
  Slo slo;
  slo.text = text;
  const std::string what = text.substr(0, equals);
  double percentile = 0;
  if (what == "mean") {
    slo.quantile = -1;
  } else if (what == "max") {
    slo.quantile = 1;
  } else if (what.size() > 1 && what[0] == 'p' && absl::SimpleAtod(what.substr(1), &percentile) &&
             percentile > 0 && percentile < 100) {
    slo.quantile = percentile / 100;
  } else {
    return bad(absl::StrCat("'", what, "' is not a percentile, mean or max"));
  }
  absl::Duration limit;
  if (!absl::ParseDuration(text.substr(equals + 1), &limit) || limit <= absl::ZeroDuration() ||
      limit > absl::Hours(1)) {
    return bad(absl::StrCat("'", text.substr(equals + 1), "' is not a duration above 0, up to 1h"));
  }
  slo.limit = absl::ToChronoNanoseconds(limit);
  return slo;
}

double LimitedSeconds(const Slo& slo, const Tally& total) {
  return 1e-9 * (slo.quantile < 0 ? total.latency.Mean()
                                  : static_cast<double>(total.latency.ValueAt(slo.quantile)));
}

std::string WhyNot(const Slo& slo, double rate, const Outcome& outcome) {
  const Tally& total = outcome.total;
  if (total.answered() == 0) return "no response";
  const double failed = Share(total.failed(), total.requests());
  if (failed > kMostFailed) return Percent(failed) + " failed";
  const double found = LimitedSeconds(slo, total);
  if (found > std::chrono::duration<double>(slo.limit).count()) {
    return absl::StrCat(slo.text.substr(0, slo.text.find('=')), " is ", ShortTime(found));
  }
  // With Poisson arrivals, fewer requests may have been due than the wanted rate says.
  const double due = static_cast<double>(total.requests() + outcome.unsent) / outcome.seconds;
  if (outcome.Rate() < kLeastReached * std::min(rate, due)) {
    return absl::StrCat("only ", Number(outcome.Rate()), " requests/s");
  }
  return "";
}

std::optional<double> RateSearch::Next() const {
  if (ended_) return std::nullopt;
  return next_;
}

void RateSearch::Tell(bool passed) {
  (passed ? best_ : worst_) = next_;
  if (!worst_.has_value()) {
    ended_ = next_ >= most_;
    next_ = std::min(ThreeDigits(2 * next_), most_);
  } else if (!best_.has_value()) {
    next_ = ThreeDigits(next_ / 2);
    ended_ = next_ < 1;
  } else {
    ended_ = *worst_ <= kNarrow * *best_;
    next_ = ThreeDigits(std::sqrt(*best_ * *worst_));
  }
}

int RateSearch::MostLeft() const {
  if (ended_) return 0;
  RateSearch passed = *this;
  passed.Tell(true);
  RateSearch failed = *this;
  failed.Tell(false);
  return 1 + std::max(passed.MostLeft(), failed.MostLeft());
}

}  // namespace hellocnn::load
