#include "server/rpc/admission.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/clock.h"
#include "server/rpc/status.h"
#include "server/serving/lifecycle.h"

namespace hellocnn::server {
namespace {

// Ends as soon as it is told to, as an idle stream does.
class FakeStream : public Drainable {
 public:
  explicit FakeStream(Admission* admission) : admission_(admission) {}
  void Drain() override {
    ++drained;
    admission_->Leave(this);
  }
  int drained = 0;

 private:
  Admission* const admission_;
};

TEST(AdmissionTest, AdmitsCallsOnlyWhileTheLifecycleIsServing) {
  Lifecycle lifecycle;
  Admission admission(&lifecycle, Clock::Monotonic());
  EXPECT_EQ(admission.Enter().status(), LoadingError());
  EXPECT_TRUE(admission.loading());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kServing).ok());
  EXPECT_FALSE(admission.loading());
  EXPECT_TRUE(admission.Enter().ok());
  admission.Leave();
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kDraining).ok());
  EXPECT_EQ(admission.Enter().status(), DrainingError());
  EXPECT_FALSE(admission.loading());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kStopped).ok());
  EXPECT_EQ(admission.Enter().status(), DrainingError());
}

TEST(AdmissionTest, ServerThatDrainsBeforeItServedIsStillLoading) {
  Lifecycle lifecycle;
  Admission admission(&lifecycle, Clock::Monotonic());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kDraining).ok());
  EXPECT_EQ(admission.Enter().status(), DrainingError());
  EXPECT_TRUE(admission.loading());
}

TEST(AdmissionTest, StreamsAreDrainedOnceAndMayLeaveInline) {
  Lifecycle lifecycle;
  Admission admission(&lifecycle, Clock::Monotonic());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kServing).ok());
  auto stream = std::make_shared<FakeStream>(&admission);
  ASSERT_TRUE(admission.Enter(stream).ok());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kDraining).ok());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kStopped).ok());
  EXPECT_EQ(stream->drained, 1);
  EXPECT_TRUE(admission.WaitUntilIdle(Instant::InfinitePast()));
}

TEST(AdmissionTest, WaitUntilIdleEndsWhenTheLastCallLeaves) {
  Lifecycle lifecycle;
  Admission admission(&lifecycle, Clock::Monotonic());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kServing).ok());
  ASSERT_TRUE(admission.Enter().ok());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kDraining).ok());
  EXPECT_FALSE(admission.WaitUntilIdle(Clock::Monotonic()->Now()));
  std::thread call([&] { admission.Leave(); });
  EXPECT_TRUE(admission.WaitUntilIdle(Instant::InfiniteFuture()));
  call.join();
}

// A call that comes while gRPC shuts down is cut off, so the shutdown waits until none does.
TEST(AdmissionTest, IsQuietOnlyWhenNoCallHasComeForAWhile) {
  Lifecycle lifecycle;
  Admission admission(&lifecycle, Clock::Monotonic());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kServing).ok());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kDraining).ok());
  EXPECT_FALSE(admission.WaitUntilQuiet(absl::Hours(1), Clock::Monotonic()->Now()));
  EXPECT_TRUE(admission.WaitUntilQuiet(absl::ZeroDuration(), Instant::InfinitePast()));
  const Instant refused = Clock::Monotonic()->Now();
  EXPECT_FALSE(admission.Enter().ok());
  EXPECT_TRUE(admission.WaitUntilQuiet(absl::Milliseconds(5), Instant::InfiniteFuture()));
  EXPECT_GE(Clock::Monotonic()->Now(), refused + absl::Milliseconds(5));
}

}  // namespace
}  // namespace hellocnn::server
