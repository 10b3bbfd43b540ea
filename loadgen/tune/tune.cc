#include "loadgen/tune/tune.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "loadgen/core/search.h"

namespace hellocnn::load {
namespace {

constexpr double kChallenge = 1.05;  // factor on the highest rate so far

std::string ThreadsFlag(const ServerSettings& settings) {
  return absl::StrCat("--threads=", settings.threads);
}
std::string BatchFlag(const ServerSettings& settings) {
  return absl::StrCat("--max-batch-size=", settings.max_batch_size);
}
std::string DelayFlag(const ServerSettings& settings) {
  return absl::StrCat("--max-queue-delay=", absl::FormatDuration(settings.max_queue_delay));
}

class Tuner {
 public:
  Tuner(const TunePlan& plan, const Measurement& measure, const std::function<bool()>& may_go_on)
      : plan_(plan), measure_(measure), may_go_on_(may_go_on) {}

  absl::StatusOr<Tuned> Run() {
    const absl::Status status = Search();
    tuned_.interrupted = absl::IsCancelled(status);
    if (!status.ok() && !tuned_.interrupted) return status;
    return std::move(tuned_);
  }

 private:
  absl::Status Search() {
    tuned_.best = plan_.defaults;
    step_.of = 2 + static_cast<int>(plan_.threads.size() + plan_.max_batch_sizes.size() +
                                    plan_.max_queue_delays.size());
    BeginStep("the defaults");
    RateSearch search(plan_.first_rate, kMostRate);
    if (absl::Status status = FindRate(search); !status.ok()) return status;
    tuned_.default_rate = tuned_.best_rate;
    if (absl::Status status = TryAll(); !status.ok()) return status;
    BeginStep("the best and the defaults in turn");
    return Confirm();
  }

  void BeginStep(const std::string& name) {
    ++step_.number;
    step_.name = name;
  }

  absl::StatusOr<bool> Keeps(const ServerSettings& settings, double rate) {
    absl::StatusOr<Trial> trial = measure_(settings, rate, step_);
    if (!trial.ok()) return trial.status();
    tuned_.trials.push_back(*std::move(trial));
    return tuned_.trials.back().kept();
  }

  bool MayGoOn() {
    if (!may_go_on_()) tuned_.complete = false;
    return tuned_.complete;
  }

  // Finds the highest rate of tuned_.best.
  absl::Status FindRate(RateSearch& search) {
    for (auto rate = search.Next(); rate.has_value() && MayGoOn(); rate = search.Next()) {
      const absl::StatusOr<bool> kept = Keeps(tuned_.best, *rate);
      if (!kept.ok()) return kept.status();
      search.Tell(*kept);
      if (search.best().has_value()) tuned_.best_rate = search.best();
    }
    return absl::OkStatus();
  }

  absl::Status Challenge(const ServerSettings& settings) {
    if (settings == tuned_.best || !MayGoOn()) return absl::OkStatus();
    const double rate =
        tuned_.best_rate.has_value() ? kChallenge * *tuned_.best_rate : plan_.first_rate;
    // A single unlucky pause must not decide.
    for (int attempt = 0; attempt < 2; ++attempt) {
      const absl::StatusOr<bool> kept = Keeps(settings, rate);
      if (!kept.ok()) return kept.status();
      if (!*kept) continue;
      tuned_.best = settings;
      tuned_.best_rate = rate;
      RateSearch search(rate, kMostRate);
      search.Tell(true);
      return FindRate(search);
    }
    return absl::OkStatus();
  }

  // `flag` names a value of the setting.
  template <typename Value>
  absl::Status TryEach(const std::vector<Value>& values, Value ServerSettings::*setting,
                       std::string (*flag)(const ServerSettings&)) {
    for (const Value& value : values) {
      ServerSettings settings = tuned_.best;
      settings.*setting = value;
      BeginStep(flag(settings));
      if (absl::Status status = Challenge(settings); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status TryAll() {
    absl::Status status = TryEach(plan_.threads, &ServerSettings::threads, ThreadsFlag);
    if (status.ok()) {
      status = TryEach(plan_.max_batch_sizes, &ServerSettings::max_batch_size, BatchFlag);
    }
    if (status.ok()) {
      status = TryEach(plan_.max_queue_delays, &ServerSettings::max_queue_delay, DelayFlag);
    }
    return status;
  }

  // Measures both in turn, and each comes first equally often. Disturbances of the machine then
  // affect both alike.
  absl::Status Confirm() {
    if (tuned_.best == plan_.defaults || !tuned_.best_rate.has_value()) return absl::OkStatus();
    for (; tuned_.rounds < plan_.rounds; ++tuned_.rounds) {
      for (const bool best : {tuned_.rounds % 2 == 0, tuned_.rounds % 2 != 0}) {
        const absl::StatusOr<bool> kept =
            Keeps(best ? tuned_.best : plan_.defaults, *tuned_.best_rate);
        if (!kept.ok()) return kept.status();
        (best ? tuned_.best_kept : tuned_.defaults_kept) += *kept ? 1 : 0;
      }
    }
    return absl::OkStatus();
  }

  const TunePlan& plan_;
  const Measurement& measure_;
  const std::function<bool()>& may_go_on_;
  TuneStep step_;
  Tuned tuned_;
};

}  // namespace

std::string FlagsOf(const ServerSettings& settings) {
  return absl::StrCat(ThreadsFlag(settings), " ", BatchFlag(settings), " ", DelayFlag(settings));
}

std::string ToText(const TuneStep& step) {
  return absl::StrCat("step ", step.number, " of ", step.of, ": ", step.name);
}

absl::StatusOr<Tuned> Tune(const TunePlan& plan, const Measurement& measure,
                           const std::function<bool()>& may_go_on) {
  return Tuner(plan, measure, may_go_on).Run();
}

}  // namespace hellocnn::load
