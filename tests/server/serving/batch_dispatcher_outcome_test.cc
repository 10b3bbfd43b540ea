// Tests of jobs that are rejected, dropped or failed.
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/serving/batch_dispatcher.h"
#include "tests/server/scheduling/call.h"
#include "tests/server/serving/batch_dispatcher_fixture.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST_F(BatchDispatcherTest, FullQueueRejectsAndDoesNotCallDone) {
  Start(1, {.max_batch_size = 4, .capacity = 4});
  Call first({1}), fits({2, 3, 4, 5}), rejected({6});
  Occupy(first);
  ASSERT_TRUE(model_->Submit(fits.job()).ok());
  EXPECT_EQ(model_->Submit(rejected.job()).code(), absl::StatusCode::kResourceExhausted);
  engines_.Release();
  EXPECT_EQ(fits.Wait(), "OK");
  model_->Drain();
  EXPECT_FALSE(rejected.done());
}

TEST_F(BatchDispatcherTest, CancelledRequestIsDroppedBeforeCompute) {
  Start(1, {});
  Call first({1}), cancelled({2, 3}), last({4});
  Occupy(first);
  ASSERT_TRUE(model_->Submit(cancelled.job()).ok());
  ASSERT_TRUE(model_->Submit(last.job()).ok());
  cancelled.job()->Cancel();
  engines_.Release();
  EXPECT_EQ(cancelled.Wait(), "CANCELLED");
  EXPECT_EQ(last.Wait(), "OK");
  EXPECT_THAT(engines_.batch_sizes(), ElementsAre(1, 1));
  EXPECT_EQ(observer_.dropped("cancelled"), 2);
}

TEST_F(BatchDispatcherTest, ExpiredRequestIsDroppedBeforeCompute) {
  Start(1, {});
  Call first({1});
  Occupy(first);
  const Instant deadline = Clock::Monotonic()->Now() + absl::Milliseconds(20);
  Call expiring({2, 3}, deadline);
  ASSERT_TRUE(model_->Submit(expiring.job()).ok());
  while (Clock::Monotonic()->Now() <= deadline) std::this_thread::yield();
  engines_.Release();
  EXPECT_EQ(expiring.Wait(), "DEADLINE_EXCEEDED");
  EXPECT_THAT(engines_.batch_sizes(), ElementsAre(1));
  EXPECT_EQ(observer_.dropped("deadline"), 2);
}

TEST_F(BatchDispatcherTest, PastDeadlineIsRejectedAndDoneIsNotCalled) {
  Start(1, {});
  Call late({1}, Clock::Monotonic()->Now() - absl::Seconds(1));
  EXPECT_EQ(model_->Submit(late.job()).code(), absl::StatusCode::kDeadlineExceeded);
  model_->Drain();
  EXPECT_FALSE(late.done());
}

TEST_F(BatchDispatcherTest, EngineFailureIsInternalForThatBatchOnly) {
  Start(1, {.max_batch_size = 2, .capacity = 16});
  engines_.Fail(absl::UnknownError("not finite"));
  Call failed({1, 2, 3, 4, 5});
  ASSERT_TRUE(model_->Submit(failed.job()).ok());
  EXPECT_EQ(failed.Wait(), "INTERNAL");
  EXPECT_THAT(failed.message(), HasSubstr("not finite"));
  EXPECT_EQ(engines_.calls(), 1);
  engines_.Fail(absl::OkStatus());
  Call good({6});
  ASSERT_TRUE(model_->Submit(good.job()).ok());
  EXPECT_EQ(good.Wait(), "OK");
}

TEST_F(BatchDispatcherTest, ImagesThatTheEngineRejectsFailTheirOwnJobOnlyAndNothingRunsTwice) {
  Start(1, {.max_batch_size = 8, .capacity = 16});
  engines_.Reject(200, absl::InvalidArgumentError("not finite"));
  Call first({0});
  Occupy(first);
  Call before({1, 2}), rejected({3, 200}), after({4});
  for (Call* call : {&before, &rejected, &after}) {
    ASSERT_TRUE(model_->Submit(call->job()).ok());
  }
  engines_.Release();
  EXPECT_EQ(before.Wait(), "OK");
  EXPECT_EQ(rejected.Wait(), "INVALID_ARGUMENT");
  EXPECT_EQ(rejected.message(), "images[1]: not finite");
  EXPECT_EQ(after.Wait(), "OK");
  model_->Drain();
  EXPECT_THAT(engines_.batch_sizes(), ElementsAre(1, 5));
  // What the engine says of images is no failure of it.
  EXPECT_EQ(observer_.failed(), 0);
  EXPECT_EQ(observer_.discarded(), 2);
}

TEST_F(BatchDispatcherTest, PartComputedBeforeTheRestIsDroppedIsDiscarded) {
  Start(1, {.max_batch_size = 4, .capacity = 100});
  Call call({1, 2, 3, 4, 5, 6});
  Occupy(call);
  call.job()->Cancel();
  engines_.Release();
  EXPECT_EQ(call.Wait(), "CANCELLED");
  EXPECT_EQ(observer_.dropped("cancelled"), 2);
  EXPECT_EQ(observer_.discarded(), 4);
}

TEST_F(BatchDispatcherTest, RestOfAJobWhoseFirstPartFailsIsDropped) {
  Start(1, {.max_batch_size = 4, .capacity = 100});
  engines_.Fail(absl::InternalError("boom"));
  Call call({1, 2, 3, 4, 5, 6});
  Occupy(call);
  engines_.Release();
  EXPECT_EQ(call.Wait(), "INTERNAL");
  EXPECT_EQ(observer_.failed(), 4);
  EXPECT_EQ(observer_.dropped(), 2);
  EXPECT_EQ(observer_.discarded(), 0);
}

TEST_F(BatchDispatcherTest, EveryAdmittedImageIsAnsweredOrToldToTheObserverOnce) {
  Start(2, {.max_batch_size = 4, .capacity = 100'000});
  std::mt19937 random(7);
  std::vector<std::unique_ptr<Call>> calls;
  int admitted = 0;
  for (int i = 0; i < 2'000; ++i) {
    const int images = 1 + static_cast<int>(random() % 12);
    const Instant deadline = random() % 4 == 0
                                 ? Clock::Monotonic()->Now() + absl::Microseconds(random() % 2'000)
                                 : Instant::InfiniteFuture();
    auto call =
        std::make_unique<Call>(std::vector<int>(static_cast<std::size_t>(images), 1), deadline);
    engines_.Fail(random() % 3 == 0 ? absl::InternalError("boom") : absl::OkStatus());
    if (!model_->Submit(call->job()).ok()) continue;  // it was late already
    admitted += images;
    if (random() % 4 == 0) call->job()->Cancel();
    calls.push_back(std::move(call));
  }
  model_->Drain();
  int answered = 0;
  for (const auto& call : calls) {
    if (call->Wait() == "OK") answered += static_cast<int>(call->job()->images().size());
  }
  EXPECT_EQ(admitted, answered + observer_.dropped() + observer_.failed() + observer_.discarded());
  EXPECT_EQ(admitted, observer_.computed() + observer_.dropped());
}

}  // namespace
}  // namespace hellocnn::server
