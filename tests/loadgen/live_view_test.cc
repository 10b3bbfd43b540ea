#include "loadgen/run/live_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hellocnn::load {
namespace {

using std::chrono::milliseconds;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class LiveViewTest : public testing::Test {
 protected:
  LiveViewTest() {
    limits_.warm_up = milliseconds(1000);
    limits_.duration = milliseconds(8000);
  }

  // Gives `view` a tally with `answered` requests of 2 ms and `failed` failures.
  void See(LiveView& view, Nanos now, int answered, int failed = 0) {
    Tally tally;
    for (int i = 0; i < answered; ++i) {
      tally.Record({Nanos(0), Nanos(0), milliseconds(2), false}, Verdict());
    }
    tally.by_code[grpc::INTERNAL] = failed;
    const Tally* const latest[] = {&tally};
    view.See({now, now < limits_.warm_up, latest, &tally, 8, 0.1});
  }

  LiveView Make(int columns, bool unicode = false, const std::string& step = "") {
    return LiveView(limits_, step, columns, unicode,
                    [this](const std::string& line) { lines_.push_back(line); });
  }

  RunLimits limits_;
  std::vector<std::string> lines_;
};

TEST_F(LiveViewTest, ShowsProgressRateAndLatency) {
  LiveView view = Make(120);
  See(view, milliseconds(500), 50);
  EXPECT_THAT(lines_.back(), StartsWith("warm-up, 1 s left  100/s, 8 in flight, p50 2.00 ms"));
  See(view, milliseconds(3000), 500);
  EXPECT_THAT(lines_.back(), StartsWith("[####            ] 6 s left  200/s"));
  EXPECT_THAT(lines_.back(), Not(HasSubstr("FAILED")));
  EXPECT_THAT(lines_.back(), EndsWith("  =#"));
  See(view, milliseconds(9100), 0, 12);
  EXPECT_THAT(lines_.back(), StartsWith("waiting for the last responses  0/s"));
  EXPECT_THAT(lines_.back(), HasSubstr("12 FAILED"));
}

TEST_F(LiveViewTest, DrawsTwiceASecondAndCleansUp) {
  {
    LiveView view = Make(120);
    for (int i = 1; i <= 20; ++i) See(view, milliseconds(100 * i), 1);
    EXPECT_EQ(lines_.size(), 4U);
  }
  EXPECT_EQ(lines_.back(), "");
}

TEST_F(LiveViewTest, NeverFillsTheLine) {
  for (const std::size_t columns : {40, 10, 1}) {
    LiveView view = Make(static_cast<int>(columns));
    See(view, milliseconds(5000), 100, 3);
    EXPECT_EQ(lines_.back().size(), columns - 1);
  }
}

TEST_F(LiveViewTest, LeavesTheBarOutBeforeTheFigures) {
  LiveView view = Make(80, false, "step 2 of at most 17");
  See(view, milliseconds(5000), 100'000, 3);
  EXPECT_EQ(lines_.back(),
            "step 2 of at most 17  4 s left  20,000/s, 8 in flight, p50 2.00 ms, p99 2.00 ms");
}

TEST_F(LiveViewTest, SaysWhichStepItIs) {
  LiveView view = Make(120, false, "step 2 of 7");
  See(view, milliseconds(500), 50);
  EXPECT_THAT(lines_.back(), StartsWith("step 2 of 7  warm-up, 1 s left  100/s"));
}

}  // namespace
}  // namespace hellocnn::load
