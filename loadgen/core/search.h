// The highest rate at which the server keeps to a limit. No clock, no thread.
#ifndef HELLOCNN_LOADGEN_CORE_SEARCH_H_
#define HELLOCNN_LOADGEN_CORE_SEARCH_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "loadgen/run/run.h"

namespace hellocnn::load {

// Requests a second that nobody asks for.
inline constexpr double kMostRate = 1e6;

// A limit of latency: "p99=5ms", "p99.9=20ms", "mean=1ms", "max=1s".
struct Slo {
  std::string text;
  double quantile = 0;  // -1: of the mean
  Nanos limit{0};

  // INVALID_ARGUMENT says what is wrong with `text`.
  static absl::StatusOr<Slo> Parse(const std::string& text);
};

// What `slo` limits.
double LimitedSeconds(const Slo& slo, const Tally& total);

// Why `outcome`, of an open loop that wanted `rate`, does not keep to `slo`; empty if it does.
// Besides the latency, 99.9% of the requests must be answered OK, and as fast as they were wanted
// but for 5%.
std::string WhyNot(const Slo& slo, double rate, const Outcome& outcome);

// Doubles from `first` until a rate fails, or halves until one passes, then halves the interval
// between the two, until it is narrower than 5%.
class RateSearch {
 public:
  // `first` > 0. Rates above `most` or below 1 are not tried.
  RateSearch(double first, double most) : next_(first), most_(most) {}

  // The rate to try next. nullopt: it is over.
  std::optional<double> Next() const;
  // How the rate of Next() did.
  void Tell(bool passed);

  // The highest rate that has passed; nullopt: none.
  std::optional<double> best() const { return best_; }

 private:
  double next_;
  const double most_;
  std::optional<double> best_;
  std::optional<double> worst_;  // lowest that has failed
  bool over_ = false;
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_SEARCH_H_
