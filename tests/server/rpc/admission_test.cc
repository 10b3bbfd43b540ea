#include "server/rpc/admission.h"

#include <gtest/gtest.h>

#include <thread>

#include "absl/time/clock.h"

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

TEST(AdmissionTest, RefusesUntilOpenAndAfterClose) {
  Admission admission;
  EXPECT_EQ(admission.Enter().status(), absl::UnavailableError("the model is loading"));
  EXPECT_TRUE(admission.loading());
  admission.Open(nullptr);
  EXPECT_FALSE(admission.loading());
  EXPECT_TRUE(admission.Enter().ok());
  admission.Leave();
  admission.Close();
  EXPECT_EQ(admission.Enter().status(), absl::UnavailableError("server is draining"));
  EXPECT_FALSE(admission.loading());
  admission.Open(nullptr);
  EXPECT_FALSE(admission.Enter().ok());
}

TEST(AdmissionTest, StreamsAreDrainedOnceAndMayLeaveInline) {
  Admission admission;
  admission.Open(nullptr);
  auto stream = std::make_shared<FakeStream>(&admission);
  ASSERT_TRUE(admission.Enter(stream).ok());
  admission.Close();
  admission.Close();
  EXPECT_EQ(stream->drained, 1);
  EXPECT_TRUE(admission.WaitUntilIdle(absl::InfinitePast()));
}

TEST(AdmissionTest, WaitUntilIdleEndsWhenTheLastCallLeaves) {
  Admission admission;
  admission.Open(nullptr);
  ASSERT_TRUE(admission.Enter().ok());
  admission.Close();
  EXPECT_FALSE(admission.WaitUntilIdle(absl::Now()));
  std::thread call([&] { admission.Leave(); });
  EXPECT_TRUE(admission.WaitUntilIdle(absl::InfiniteFuture()));
  call.join();
}

// A call that comes while gRPC shuts down is cut off, so the shutdown waits until none does.
TEST(AdmissionTest, IsQuietOnlyWhenNoCallHasComeForAWhile) {
  Admission admission;
  admission.Open(nullptr);
  admission.Close();
  EXPECT_FALSE(admission.WaitUntilQuiet(absl::Hours(1), absl::Now()));
  EXPECT_TRUE(admission.WaitUntilQuiet(absl::ZeroDuration(), absl::InfinitePast()));
  const absl::Time refused = absl::Now();
  EXPECT_FALSE(admission.Enter().ok());
  EXPECT_TRUE(admission.WaitUntilQuiet(absl::Milliseconds(5), absl::InfiniteFuture()));
  EXPECT_GE(absl::Now(), refused + absl::Milliseconds(5));
}

}  // namespace
}  // namespace hellocnn::server
