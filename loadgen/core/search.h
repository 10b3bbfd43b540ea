// Finds the highest rate at which the server keeps to a limit. No clock, no thread.
#ifndef HELLOCNN_LOADGEN_CORE_SEARCH_H_
#define HELLOCNN_LOADGEN_CORE_SEARCH_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "loadgen/run/run.h"

namespace hellocnn::load {

// The highest rate that options accept and that searches try, in requests a second.
inline constexpr double kMostRate = 1e6;

// A limit of latency: "p99=5ms", "p99.9=20ms", "mean=1ms", "max=1s".
struct Slo {
  std::string text;
  double quantile = 0;  // -1: the mean is limited
  Nanos limit{0};

  // INVALID_ARGUMENT says what is wrong with `text`.
  static absl::StatusOr<Slo> Parse(const std::string& text);
};

// Returns the value that `slo` limits, in seconds.
double LimitedSeconds(const Slo& slo, const Tally& total);

// Returns why `outcome`, of an open loop at `rate` requests a second, does not keep to `slo`. Empty
// if it does. Besides the latency limit, 99.9% of the requests must succeed. The throughput must
// also reach 95% of the wanted rate.
std::string WhyNot(const Slo& slo, double rate, const Outcome& outcome);

// Doubles from `first` until a rate fails, or halves until one passes. It then divides the interval
// between the two until it is narrower than 5%. Rates after the first have three digits, so that a
// report can say exactly which were tried.
class RateSearch {
 public:
  // `first` > 0. Rates above `most` or below 1 are not tried.
  RateSearch(double first, double most) : next_(first), most_(most) {}

  // Returns the rate to try next, or nullopt if the search has ended.
  std::optional<double> Next() const;
  // Reports whether the rate of Next() passed.
  void Tell(bool passed);

  // Returns the largest number of rates that may still be tried, including Next().
  int MostLeft() const;

  // Returns the highest rate that has passed, or nullopt if none has.
  std::optional<double> best() const { return best_; }

 private:
  double next_;
  const double most_;
  std::optional<double> best_;
  std::optional<double> worst_;  // the lowest rate that has failed
  bool ended_ = false;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_SEARCH_H_
