// Finds the settings of a server with the highest rate within a latency limit. No process, no
// clock, no thread: the caller provides the measurement.
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
// Returns flags such as "--threads=2 --max-batch-size=32 --max-queue-delay=0".
std::string FlagsOf(const ServerSettings& settings);

// One measurement at one rate.
struct Trial {
  ServerSettings settings;
  double rate = 0;               // wanted requests a second
  double answered_rate = 0;      // requests a second that succeeded
  double latency_seconds = 0;    // the limited latency
  std::string verdict;           // empty: the limit was kept; otherwise the reason why not
  bool generator_bound = false;  // the generator, not the server, may be what was measured
  bool kept() const { return verdict.empty(); }
};

struct TunePlan {
  ServerSettings defaults;
  // Further values to try, one setting after the other in this order.
  std::vector<int> threads;
  std::vector<int> max_batch_sizes;
  std::vector<absl::Duration> max_queue_delays;
  double first_rate = 100;  // requests a second
  int rounds = 3;           // rounds of the confirmation
};

struct Tuned {
  std::vector<Trial> trials;  // all trials, in order
  // The highest rate of the defaults that kept the limit; nullopt: none did.
  std::optional<double> default_rate;
  ServerSettings best;
  std::optional<double> best_rate;
  // Confirmation: best and defaults measured again in turn at best_rate. It is left out if the best
  // settings are the defaults.
  int rounds = 0;
  int best_kept = 0;
  int defaults_kept = 0;
  bool complete = true;  // false: the budget was spent before all values had been tried
  // True if a measurement was cancelled. The trials before it are there; nothing is concluded.
  bool interrupted = false;

  // Returns true if the difference is certain: in every round the best settings kept the limit and
  // the defaults did not.
  bool better() const {
    return !interrupted && rounds > 0 && best_kept == rounds && defaults_kept == 0;
  }
};

// A part of the search, which takes one measurement or more.
struct TuneStep {
  int number = 0;    // from 1
  int of = 0;        // steps of the whole search
  std::string name;  // such as "--threads=2"
};
// Returns text such as "step 2 of 9: --threads=2".
std::string ToText(const TuneStep& step);

// Measures `settings` at `rate`, as part of `step`. An error ends the search; CANCELLED interrupts
// it.
using Measurement =
    std::function<absl::StatusOr<Trial>(const ServerSettings&, double rate, const TuneStep& step)>;

// Finds the highest rate of the defaults. It then tries each other value at 5% above the highest
// rate so far, twice if necessary. If a value keeps the limit there, it becomes the best, and its
// own highest rate is found. Once `may_go_on` returns false, no further rate or value is tried. The
// confirmation is made nevertheless.
absl::StatusOr<Tuned> Tune(const TunePlan& plan, const Measurement& measure,
                           const std::function<bool()>& may_go_on);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_TUNE_TUNE_H_
