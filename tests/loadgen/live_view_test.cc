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

  LiveView Make(int columns, bool unicode = false) {
    return LiveView(limits_, columns, unicode,
                    [this](const std::string& line) { lines_.push_back(line); });
  }

  Limits limits_;
  std::vector<std::string> lines_;
};

TEST_F(LiveViewTest, ShowsProgressRateAndLatency) {
  LiveView view = Make(120);
  See(view, milliseconds(500), 50);
  EXPECT_THAT(lines_.back(), StartsWith("warm-up, 1 s left  100/s, 8 under way, p50 2.00 ms"));
  See(view, milliseconds(3000), 500);
  EXPECT_THAT(lines_.back(), StartsWith("[####            ] 6 s left  200/s"));
  EXPECT_THAT(lines_.back(), Not(HasSubstr("FAILED")));
  EXPECT_THAT(lines_.back(), EndsWith("  =#"));
  See(view, milliseconds(9100), 0, 12);
  EXPECT_THAT(lines_.back(), StartsWith("waiting for the last answers  0/s"));
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
  LiveView view = Make(40);
  See(view, milliseconds(5000), 100, 3);
  EXPECT_EQ(lines_.back().size(), 39U);
}

}  // namespace
}  // namespace hellocnn::load
