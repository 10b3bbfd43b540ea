#include "server/rpc/transport/http2/read_pause.h"

#include <gtest/gtest.h>

namespace hellocnn::server {
namespace {

class ReadPauseTest : public ::testing::Test {
 protected:
  // Returns how long the pause after this rejection lasts.
  absl::Duration Reject() {
    pause_.OnRejected(now_);
    const absl::Duration length = pause_.until() - now_;
    EXPECT_FALSE(pause_.IsOver(now_));
    EXPECT_FALSE(pause_.IsOver(pause_.until() - absl::Nanoseconds(1)));
    now_ = pause_.until();
    EXPECT_TRUE(pause_.IsOver(now_));
    return length;
  }

  ReadPause pause_;
  Instant now_ = Instant() + absl::Hours(1);
};

TEST_F(ReadPauseTest, NobodyWaitsWithoutARejection) {
  EXPECT_TRUE(pause_.IsOver(now_));
  pause_.OnTaken();
  EXPECT_TRUE(pause_.IsOver(now_));
  EXPECT_EQ(pause_.until(), Instant::InfinitePast());
}

TEST_F(ReadPauseTest, PausesGrowWhileTheFirstCallAfterThemIsRejected) {
  EXPECT_EQ(Reject(), absl::Milliseconds(1));
  EXPECT_EQ(Reject(), absl::Milliseconds(2));
  EXPECT_EQ(Reject(), absl::Milliseconds(4));
  EXPECT_EQ(Reject(), absl::Milliseconds(8));
  EXPECT_EQ(Reject(), absl::Milliseconds(8));
}

TEST_F(ReadPauseTest, PausesStayWhileThereIsRoomAfterThem) {
  Reject();
  EXPECT_EQ(Reject(), absl::Milliseconds(2));
  pause_.OnTaken();
  EXPECT_EQ(Reject(), absl::Milliseconds(2));
}

TEST_F(ReadPauseTest, RejectionsOfOneReadAreOnePause) {
  pause_.OnRejected(now_);
  pause_.OnRejected(now_);
  EXPECT_EQ(pause_.until(), now_ + absl::Milliseconds(1));
}

TEST_F(ReadPauseTest, PausesAreShortAgainOnceEverythingIsTaken) {
  Reject();
  Reject();
  pause_.OnAllReceived();
  EXPECT_EQ(Reject(), absl::Milliseconds(4));
  pause_.OnTaken();
  pause_.OnAllReceived();
  EXPECT_EQ(Reject(), absl::Milliseconds(1));
}

}  // namespace
}  // namespace hellocnn::server
