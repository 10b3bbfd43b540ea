#include "server/rpc/transport/grpc/completion_events.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "base/clock.h"

namespace hellocnn::server {
namespace {

using Got = EventQueue::Got;

class Counter final : public Completion {
 public:
  void OnComplete(bool ok) override { (ok ? good_ : bad_) += 1; }
  int good() const { return good_; }
  int bad() const { return bad_; }

 private:
  int good_ = 0, bad_ = 0;
};

class CompletionEventsTest : public ::testing::Test {
 protected:
  CompletionEventsTest() {
    grpc::ServerBuilder builder;
    events_ = std::make_unique<CompletionEvents>(builder.AddCompletionQueue());
    server_ = builder.BuildAndStart();
  }
  ~CompletionEventsTest() override { server_->Shutdown(); }

  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<CompletionEvents> events_;
  EventQueue::Event event_;
};

TEST_F(CompletionEventsTest, ACompletionIsAnEventForItsTag) {
  Counter counter;
  grpc::Alarm alarm;
  alarm.Set(events_->queue(), gpr_time_0(GPR_CLOCK_REALTIME), counter.tag());
  ASSERT_EQ(events_->Wait(Instant::InfiniteFuture(), &event_), Got::kEvent);
  events_->Handle(event_);
  EXPECT_EQ(counter.good(), 1);
}

TEST_F(CompletionEventsTest, WaitEndsInTimeAndNotBefore) {
  EXPECT_EQ(events_->Wait(Instant::InfinitePast(), &event_), Got::kNothing);
  EXPECT_EQ(events_->Wait(Clock::Monotonic()->Now() - absl::Seconds(1), &event_), Got::kNothing);
  for (const absl::Duration delay :
       {absl::Microseconds(20), absl::Microseconds(300), absl::Milliseconds(7)}) {
    const Instant until = Clock::Monotonic()->Now() + delay;
    // It may come back early, as workers ask again.
    while (Clock::Monotonic()->Now() < until)
      EXPECT_EQ(events_->Wait(until, &event_), Got::kNothing);
  }
}

TEST_F(CompletionEventsTest, WakeEndsAWaitEvenIfItComesFirst) {
  events_->Wake();
  events_->Wake();  // counts as the same
  EXPECT_EQ(events_->Wait(Instant::InfiniteFuture(), &event_), Got::kNothing);
  std::thread waker([this] { events_->Wake(); });
  EXPECT_EQ(events_->Wait(Instant::InfiniteFuture(), &event_), Got::kNothing);
  waker.join();
}

TEST_F(CompletionEventsTest, EachOfManyWakesIsHeardWhenTheOneBeforeHasBeen) {
  for (int i = 0; i < 1000; ++i) {
    events_->Wake();
    ASSERT_EQ(events_->Wait(Instant::InfiniteFuture(), &event_), Got::kNothing);
  }
}

TEST_F(CompletionEventsTest, WhatIsLeftComesBeforeTheEnd) {
  Counter counter;
  grpc::Alarm alarm;
  alarm.Set(events_->queue(), gpr_time_0(GPR_CLOCK_REALTIME), counter.tag());
  server_->Shutdown();
  events_->Close();
  events_->Close();
  events_->Wake();  // without effect
  ASSERT_EQ(events_->Wait(Instant::InfiniteFuture(), &event_), Got::kEvent);
  events_->Handle(event_);
  EXPECT_EQ(events_->Wait(Instant::InfiniteFuture(), &event_), Got::kEnd);
  EXPECT_EQ(events_->Wait(Instant::InfinitePast(), &event_), Got::kEnd);
}

TEST_F(CompletionEventsTest, TheQueueStaysOpenUntilTheLastCallHasGone) {
  events_->Hold();
  events_->Hold();
  server_->Shutdown();
  events_->Close();
  events_->Release();
  Counter counter;
  grpc::Alarm alarm;
  alarm.Set(events_->queue(), gpr_time_0(GPR_CLOCK_REALTIME), counter.tag());  // as a call does
  ASSERT_EQ(events_->Wait(Instant::InfiniteFuture(), &event_), Got::kEvent);
  events_->Handle(event_);
  EXPECT_EQ(counter.good(), 1);
  events_->Release();
  EXPECT_EQ(events_->Wait(Instant::InfiniteFuture(), &event_), Got::kEnd);
}

TEST_F(CompletionEventsTest, WhatNobodyWaitedForIsHandledInTheEnd) {
  Counter counter;
  grpc::Alarm alarm;
  alarm.Set(events_->queue(), gpr_inf_future(GPR_CLOCK_REALTIME), counter.tag());
  alarm.Cancel();
  server_->Shutdown();
  events_ = nullptr;
  EXPECT_EQ(counter.bad(), 1);
}

}  // namespace
}  // namespace hellocnn::server
