#include "loadgen/tune/tune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"
#include "loadgen/tune/tune_report.h"

namespace hellocnn::load {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

// Simulates a machine on which each setting keeps the limit up to a certain rate.
class TuneTest : public testing::Test {
 protected:
  TuneTest() {
    plan_.threads = {1, 2, 4};
    plan_.max_batch_sizes = {1, 8, 32, 128};
    plan_.max_queue_delays = {absl::ZeroDuration(), absl::Milliseconds(1)};
  }

  absl::StatusOr<Tuned> Tune() {
    return load::Tune(
        plan_,
        [this](const ServerSettings& settings, double rate,
               const TuneStep& step) -> absl::StatusOr<Trial> {
          ++measurements_;
          if (steps_.empty() || steps_.back() != ToText(step)) steps_.push_back(ToText(step));
          Trial trial;
          trial.settings = settings;
          trial.rate = rate;
          if (rate > capacity_(settings)) trial.verdict = "too slow";
          return trial;
        },
        [this] { return measurements_ < budget_; });
  }

  TunePlan plan_;
  std::function<double(const ServerSettings&)> capacity_ = [](const ServerSettings&) {
    return 1000.0;
  };
  int measurements_ = 0;
  std::vector<std::string> steps_;  // in order, without repetitions
  int budget_ = 1000;
};

TEST_F(TuneTest, FindsTheBestOfEachSetting) {
  capacity_ = [](const ServerSettings& settings) {
    return 1000.0 * std::sqrt(settings.threads) * (settings.max_batch_size == 8 ? 1.3 : 1) /
           (1 + absl::ToDoubleMilliseconds(settings.max_queue_delay));
  };
  const auto tuned = Tune();
  ASSERT_TRUE(tuned.ok());
  EXPECT_EQ(FlagsOf(tuned->best), "--threads=4 --max-batch-size=8 --max-queue-delay=0");
  EXPECT_NEAR(*tuned->default_rate, 1000, 50);
  EXPECT_NEAR(*tuned->best_rate, 2600, 130);
  EXPECT_TRUE(tuned->better());
  EXPECT_TRUE(tuned->complete);
  EXPECT_THAT(tuned->trials, SizeIs(measurements_));
}

TEST_F(TuneTest, SaysWhichStepItMeasures) {
  capacity_ = [](const ServerSettings& settings) { return 1000.0 * settings.threads; };
  plan_.threads = {1, 2};
  plan_.max_batch_sizes = {8};
  plan_.max_queue_delays = {absl::Milliseconds(1)};
  ASSERT_TRUE(Tune().ok());
  // One thread is the default, so there is nothing to measure in the second step.
  EXPECT_THAT(steps_,
              ElementsAre("step 1 of 6: the defaults", "step 3 of 6: --threads=2",
                          "step 4 of 6: --max-batch-size=8", "step 5 of 6: --max-queue-delay=1ms",
                          "step 6 of 6: the best and the defaults in turn"));
}

TEST_F(TuneTest, StaysWithTheDefaultsIfNothingIsBetter) {
  const auto tuned = Tune();
  ASSERT_TRUE(tuned.ok());
  EXPECT_EQ(tuned->best, plan_.defaults);
  EXPECT_EQ(tuned->rounds, 0);
  EXPECT_FALSE(tuned->better());
}

// The default server was first measured at a bad moment. Measured again, it does as well as the
// challenger.
TEST_F(TuneTest, ALuckyChallengerIsNotCalledBetter) {
  capacity_ = [this](const ServerSettings& settings) {
    return settings == plan_.defaults && measurements_ < 15 ? 500.0 : 1000.0;
  };
  const auto tuned = Tune();
  ASSERT_TRUE(tuned.ok());
  EXPECT_FALSE(tuned->best == plan_.defaults);
  EXPECT_EQ(tuned->best_kept, 3);
  EXPECT_EQ(tuned->defaults_kept, 3);
  EXPECT_FALSE(tuned->better());
}

TEST_F(TuneTest, ConfirmsInTurnAndEachFirstOnce) {
  plan_.rounds = 2;
  capacity_ = [](const ServerSettings& settings) { return settings.threads * 1000.0; };
  const auto tuned = Tune();
  ASSERT_TRUE(tuned.ok());
  std::vector<bool> of_best;
  for (auto trial = tuned->trials.end() - 4; trial != tuned->trials.end(); ++trial) {
    of_best.push_back(trial->settings == tuned->best);
    EXPECT_EQ(trial->rate, *tuned->best_rate);
  }
  EXPECT_THAT(of_best, testing::ElementsAre(true, false, false, true));
}

TEST_F(TuneTest, ASpentBudgetIsSaid) {
  budget_ = 3;
  const auto tuned = Tune();
  ASSERT_TRUE(tuned.ok());
  EXPECT_FALSE(tuned->complete);
  EXPECT_EQ(measurements_, 3);
  EXPECT_EQ(tuned->best_rate, 400);
}

TEST_F(TuneTest, WhereNothingKeepsTheLimitThereIsNoRate) {
  capacity_ = [](const ServerSettings&) { return 0.0; };
  const auto tuned = Tune();
  ASSERT_TRUE(tuned.ok());
  EXPECT_EQ(tuned->best_rate, std::nullopt);
  EXPECT_EQ(tuned->default_rate, std::nullopt);
}

TEST_F(TuneTest, OtherSettingsMayKeepALimitThatTheDefaultsDoNot) {
  capacity_ = [](const ServerSettings& settings) { return settings.threads == 4 ? 300.0 : 0.0; };
  const auto tuned = Tune();
  ASSERT_TRUE(tuned.ok());
  EXPECT_EQ(tuned->default_rate, std::nullopt);
  EXPECT_NEAR(*tuned->best_rate, 300, 15);
  EXPECT_TRUE(tuned->better());
}

TEST_F(TuneTest, AnInterruptedOneKeepsItsTrialsAndConcludesNothing) {
  capacity_ = [](const ServerSettings& settings) { return settings.threads * 1000.0; };
  const int all = static_cast<int>(Tune()->trials.size());
  for (int stop_at = 1; stop_at <= all; ++stop_at) {
    int measurements = 0;
    const auto tuned = load::Tune(
        plan_,
        [&](const ServerSettings& settings, double rate, const TuneStep&) -> absl::StatusOr<Trial> {
          if (++measurements == stop_at) return absl::CancelledError("interrupted");
          return Trial{settings, rate, rate, 0,
                       rate > capacity_(settings) ? std::string("too slow") : std::string()};
        },
        [] { return true; });
    ASSERT_TRUE(tuned.ok());
    EXPECT_TRUE(tuned->interrupted);
    EXPECT_FALSE(tuned->better());
    EXPECT_THAT(tuned->trials, SizeIs(stop_at - 1));
  }
}

void ExpectFits(const std::string& text) {
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
    EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(TuneReport, FitsEightyColumnsAndNamesTheFlags) {
  Tuned tuned;
  TunePlan plan;
  tuned.best = {128, 1024, absl::Microseconds(1500)};
  tuned.best_rate = 123'000;
  tuned.default_rate = 117'000;
  tuned.rounds = tuned.best_kept = 3;
  tuned.complete = false;
  Trial trial{tuned.best, 999'999.5, 1234, 3599.999, "only 123,456 requests/s", true};
  tuned.trials.push_back(trial);
  for (const bool interrupted : {false, true}) {
    tuned.interrupted = interrupted;
    const std::string text = Conclusion(tuned, plan, "p99.999=1234.5ms");
    ExpectFits(text);
    const auto json = nlohmann::json::parse(ToJson(tuned, plan, "p99.999=1234.5ms"));
    EXPECT_EQ(json["interrupted"], interrupted);
    EXPECT_EQ(json["use"].is_null(), interrupted);
    EXPECT_EQ(text.find("--threads=128") == std::string::npos, interrupted);
    EXPECT_EQ(text.find("INTERRUPTED") == std::string::npos, !interrupted);
  }
  ExpectFits(TrialHead("p99.999") + TrialRow(trial));
  trial.verdict = "";
  EXPECT_EQ(TrialRow(trial).substr(0, 7), "    128");
  ExpectFits(TrialRow(trial));
}

TEST_F(TuneTest, AnErrorEndsIt) {
  const auto tuned = load::Tune(
      plan_,
      [](const ServerSettings&, double, const TuneStep&) {
        return absl::UnavailableError("no server");
      },
      [] { return true; });
  EXPECT_EQ(tuned.status().message(), "no server");
}

}  // namespace
}  // namespace hellocnn::load
