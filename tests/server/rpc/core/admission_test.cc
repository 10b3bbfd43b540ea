#include "server/rpc/core/admission.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "base/clock.h"
#include "server/rpc/core/rejection.h"
#include "server/serving/lifecycle.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/model_card.h"

namespace hellocnn::server {
namespace {

// Ends as soon as it is told to, as an idle stream does.
class FakeStream : public Drainable {
 public:
  void Drain() override {
    ++drained;
    ticket = {};
  }
  Admission::Ticket ticket;
  int drained = 0;
};

bool Admitted(const Admission::Result& result) {
  return std::holds_alternative<Admission::Ticket>(result);
}

// How `admission` rejects a call now.
RejectionReason Rejects(Admission& admission) {
  const Admission::Result result = admission.Enter();
  return std::get<Rejection>(result).reason;
}

TEST(AdmissionTest, AdmitsCallsOnlyWhileTheLifecycleIsServingOrLeaving) {
  Lifecycle lifecycle;
  Admission admission(&lifecycle, Clock::Monotonic());
  EXPECT_EQ(Rejects(admission), RejectionReason::kLoading);
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kServing).ok());
  EXPECT_TRUE(Admitted(admission.Enter()));
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kLeaving).ok());
  EXPECT_TRUE(Admitted(admission.Enter()));
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kDraining).ok());
  EXPECT_EQ(Rejects(admission), RejectionReason::kDraining);
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kStopped).ok());
  EXPECT_EQ(Rejects(admission), RejectionReason::kDraining);
}

TEST(AdmissionTest, StreamsAreDrainedOnceAndMayLeaveInline) {
  Lifecycle lifecycle;
  Admission admission(&lifecycle, Clock::Monotonic());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kServing).ok());
  auto stream = std::make_shared<FakeStream>();
  Admission::Result admitted = admission.Enter(stream);
  ASSERT_TRUE(Admitted(admitted));
  stream->ticket = std::get<Admission::Ticket>(std::move(admitted));
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kDraining).ok());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kStopped).ok());
  EXPECT_EQ(stream->drained, 1);
  EXPECT_TRUE(admission.WaitUntilIdle(Instant::InfinitePast()));
}

TEST(AdmissionTest, StreamsGoOnWhileTheServerLeaves) {
  Lifecycle lifecycle;
  Admission admission(&lifecycle, Clock::Monotonic());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kServing).ok());
  const auto before = std::make_shared<FakeStream>();
  before->ticket = std::get<Admission::Ticket>(admission.Enter(before));
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kLeaving).ok());
  const auto after = std::make_shared<FakeStream>();
  after->ticket = std::get<Admission::Ticket>(admission.Enter(after));
  EXPECT_EQ(before->drained, 0);
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kDraining).ok());
  EXPECT_EQ(before->drained, 1);
  EXPECT_EQ(after->drained, 1);
}

TEST(AdmissionTest, WaitUntilIdleEndsWhenTheLastCallLeaves) {
  Lifecycle lifecycle;
  Admission admission(&lifecycle, Clock::Monotonic());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kServing).ok());
  Admission::Result admitted = admission.Enter();
  ASSERT_TRUE(Admitted(admitted));
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kDraining).ok());
  EXPECT_FALSE(admission.WaitUntilIdle(Clock::Monotonic()->Now()));
  std::thread call([ticket = std::get<Admission::Ticket>(std::move(admitted))] {});
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
  EXPECT_FALSE(Admitted(admission.Enter()));
  EXPECT_TRUE(admission.WaitUntilQuiet(absl::Milliseconds(5), Instant::InfiniteFuture()));
  EXPECT_GE(Clock::Monotonic()->Now(), refused + absl::Milliseconds(5));
}

TEST(AdmissionTest, CallsBeforeTheDrainDoNotDelayTheQuiet) {
  Lifecycle lifecycle;
  testing::FakeClock clock;
  Admission admission(&lifecycle, &clock);
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kServing).ok());
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kLeaving).ok());
  EXPECT_TRUE(Admitted(admission.Enter()));
  clock.Advance(absl::Seconds(5));
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kDraining).ok());
  EXPECT_FALSE(admission.WaitUntilQuiet(absl::Seconds(1), clock.Now()));  // it begins now
  clock.Advance(absl::Seconds(1));
  EXPECT_TRUE(admission.WaitUntilQuiet(absl::Seconds(1), clock.Now()));
}

TEST(AdmissionTest, IsNotQuietWhenTheLastCallHasJustLeft) {
  Lifecycle lifecycle;
  testing::FakeClock clock;
  Admission admission(&lifecycle, &clock);
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kServing).ok());
  std::optional<Admission::Result> call = admission.Enter();
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kDraining).ok());
  clock.Advance(absl::Seconds(10));
  call.reset();
  EXPECT_FALSE(admission.WaitUntilQuiet(absl::Seconds(1), clock.Now()));
  clock.Advance(absl::Seconds(1));
  EXPECT_TRUE(admission.WaitUntilQuiet(absl::Seconds(1), clock.Now()));
}

}  // namespace
}  // namespace hellocnn::server
