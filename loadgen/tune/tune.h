// Which settings of a server let it take the highest rate within a limit of latency? No process, no
// clock, no thread: what measures is given.
#ifndef HELLOCNN_LOADGEN_TUNE_TUNE_H_
#define HELLOCNN_LOADGEN_TUNE_TUNE_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hellocnn::load {

struct ServerSettings {
  int threads = 1;
  int max_batch_size = 32;
  absl::Duration max_queue_delay;

  bool operator==(const ServerSettings&) const = default;
};
// "--threads=2 --max-batch-size=32 --max-queue-delay=0".
std::string FlagsOf(const ServerSettings& settings);

// One measurement at one rate.
struct Trial {
  ServerSettings settings;
  double rate = 0;               // wanted requests a second
  double answered_rate = 0;      // had
  double latency_seconds = 0;    // what is limited
  std::string verdict;           // empty: the limit was kept; else why not
  bool generator_bound = false;  // the generator, not the server, may be what was measured
  bool kept() const { return verdict.empty(); }
};

struct TunePlan {
  ServerSettings defaults;
  // Values to try besides, one setting after the other in this order.
  std::vector<int> threads;
  std::vector<int> max_batch_sizes;
  std::vector<absl::Duration> max_queue_delays;
  double first_rate = 100;  // requests a second
  int rounds = 3;           // of the confirmation
};

struct Tuned {
  std::vector<Trial> trials;           // all, in their order
  std::optional<double> default_rate;  // highest rate that kept the limit; nullopt: none did
  ServerSettings best;
  std::optional<double> best_rate;
  // Both once more in turn at best_rate, unless the best are the defaults.
  int rounds = 0;
  int best_kept = 0;
  int defaults_kept = 0;
  bool complete = true;  // false: the budget was spent before all had been tried

  // Whether the difference is sure: in every round the best kept the limit and the defaults did
  // not.
  bool better() const { return rounds > 0 && best_kept == rounds && defaults_kept == 0; }
};

// Measures these settings at this rate. An error ends the search.
using Measurement = std::function<absl::StatusOr<Trial>(const ServerSettings&, double rate)>;

// Finds the highest rate of the defaults; then each other value is tried at 5% above the highest
// rate so far, twice if need be, and if it keeps the limit there, its own highest rate is found and
// it is the one to beat. `may_go_on` false before a measurement: no further value is tried. The
// confirmation is made all the same.
absl::StatusOr<Tuned> Tune(const TunePlan& plan, const Measurement& measure,
                           const std::function<bool()>& may_go_on);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_TUNE_TUNE_H_
