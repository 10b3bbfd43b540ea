#include "loadgen/tune/tune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace hellocnn::load {
namespace {

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
        [this](const ServerSettings& settings, double rate) -> absl::StatusOr<Trial> {
          ++measurements_;
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

TEST_F(TuneTest, AnErrorEndsIt) {
  const auto tuned = load::Tune(
      plan_, [](const ServerSettings&, double) { return absl::UnavailableError("no server"); },
      [] { return true; });
  EXPECT_EQ(tuned.status().message(), "no server");
}

}  // namespace
}  // namespace hellocnn::load
