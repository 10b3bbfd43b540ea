#include "loadgen/core/arrivals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

namespace hellocnn::load {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<Nanos> Take(Arrivals& arrivals, int count) {
  std::vector<Nanos> times;
  for (int i = 0; i < count; ++i) {
    const auto next = arrivals.Next();
    if (!next.has_value()) break;
    times.push_back(*next);
  }
  return times;
}

TEST(Arrivals, ConstantOnesDoNotDrift) {
  const auto arrivals =
      ConstantArrivals(3000);  // a third of a millisecond is not a whole number of ns
  Nanos last{0};
  for (int i = 0; i <= 3'000'000; ++i) last = *arrivals->Next();
  EXPECT_EQ(last, std::chrono::seconds(1000));
}

TEST(Arrivals, PoissonGapsHaveMeanAndVarianceOfAnExponential) {
  const auto arrivals = PoissonArrivals(1000, 42);
  constexpr int kCount = 200'000;
  double sum = 0;
  double squares = 0;
  Nanos before{0};
  for (int i = 0; i < kCount; ++i) {
    const Nanos at = *arrivals->Next();
    const double gap = std::chrono::duration<double>(at - before).count();
    ASSERT_GE(gap, 0);
    sum += gap;
    squares += gap * gap;
    before = at;
  }
  const double mean = sum / kCount;
  const double deviation = std::sqrt(squares / kCount - mean * mean);
  EXPECT_NEAR(mean, 1e-3, 1e-5);  // 4.5 standard errors
  EXPECT_NEAR(deviation, 1e-3, 2e-5);
}

TEST(Arrivals, PoissonIsThatOfItsSeed) {
  const auto first = Take(*PoissonArrivals(10, 1), 5);
  EXPECT_EQ(first, Take(*PoissonArrivals(10, 1), 5));
  EXPECT_NE(first, Take(*PoissonArrivals(10, 2), 5));
}

TEST(Arrivals, RampHasTheAreaUnderItsLine) {
  // A ramp of 0 to 100 a second over 10 s has 500 requests, half of them after 7.07 s.
  const auto up = Take(*RampArrivals(0, 100, std::chrono::seconds(10)), 600);
  EXPECT_NEAR(std::chrono::duration<double>(up[499]).count(), 10, 1e-6);
  EXPECT_NEAR(std::chrono::duration<double>(up[249]).count(), 7.0711, 1e-4);
  EXPECT_EQ(up[599] - up[598], milliseconds(10));
  const auto down = Take(*RampArrivals(100, 50, std::chrono::seconds(2)), 150);
  EXPECT_NEAR(std::chrono::duration<double>(down[149]).count(), 2, 1e-6);
  EXPECT_TRUE(std::is_sorted(down.begin(), down.end()));
}

TEST(Arrivals, ThreadsShareASchedule) {
  const auto all = Take(*ConstantArrivals(1000), 6);
  EXPECT_THAT(Take(*EveryNth(ConstantArrivals(1000), 0, 2), 3),
              ElementsAre(all[0], all[2], all[4]));
  EXPECT_THAT(Take(*EveryNth(ConstantArrivals(1000), 1, 2), 3),
              ElementsAre(all[1], all[3], all[5]));
  const auto recorded = std::make_shared<const std::vector<Nanos>>(all);
  EXPECT_THAT(Take(*EveryNth(RecordedArrivals(recorded), 1, 4), 9), ElementsAre(all[1], all[5]));
  EXPECT_TRUE(Take(*EveryNth(RecordedArrivals(recorded), 7, 8), 9).empty());
}

class SendTimes : public testing::Test {
 protected:
  absl::StatusOr<std::vector<Nanos>> Read(const std::string& text) {
    const auto path =
        std::filesystem::temp_directory_path() / ("hellocnn-times-" + std::to_string(getpid()));
    std::ofstream(path) << text;
    auto times = ReadSendTimes(path);
    std::filesystem::remove(path);
    return times;
  }
};

TEST_F(SendTimes, AreSecondsLineByLine) {
  EXPECT_THAT(Read("# at\n0\n0.25\n\n 0.25 \n1e1").value(),
              ElementsAre(Nanos(0), milliseconds(250), milliseconds(250), milliseconds(10'000)));
}

TEST_F(SendTimes, MayFollowAByteOrderMark) {
  EXPECT_EQ(Read("\xef\xbb\xbf"
                 "0.5\r\n1\r\n")
                .value()
                .size(),
            2U);
}

TEST_F(SendTimes, BadOnesAreNamedWithTheirLine) {
  EXPECT_THAT(Read("0\nsoon\n").status().message(), HasSubstr("line 2: 'soon' is not a send time"));
  EXPECT_THAT(Read("1\n0.5\n").status().message(), HasSubstr("line 2: 0.5 comes after a later"));
  EXPECT_THAT(Read("-1\n").status().message(), HasSubstr("line 1: '-1'"));
  EXPECT_THAT(Read("nan\n").status().message(), HasSubstr("line 1: 'nan'"));
  EXPECT_THAT(Read("# nothing\n").status().message(), HasSubstr("no send time"));
  EXPECT_EQ(ReadSendTimes("/nowhere").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace hellocnn::load
