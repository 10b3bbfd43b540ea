#include "server/rpc/transport/http2/http2_events.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

class CountingTask final : public Task {
 public:
  CountingTask(Http2Events* events, bool repeats) : Task(events), repeats_(repeats) {}
  int runs() const { return runs_; }
  // Lets it run no more.
  void End() { repeats_ = false; }

 private:
  void Run(std::uint32_t /*io*/) override {
    ++runs_;
    if (repeats_) Schedule();
  }

  bool repeats_;
  int runs_ = 0;
};

// A task that always has more to do, and others that wait for a descriptor and for a time.
class BusyEventsTest : public ::testing::Test {
 protected:
  BusyEventsTest() {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets_.data()), 0);
    EXPECT_TRUE(events_->Add(sockets_[0], reader_).ok());
    events_->SetTimer(timed_.get(), Clock::Monotonic()->Now());
    busy_->Schedule();
  }
  ~BusyEventsTest() override {
    busy_->End();
    events_->Remove(sockets_[0], reader_.get());
    events_->RunRest();
    for (const int socket : sockets_) close(socket);
  }

  const std::unique_ptr<Http2Events> events_ = Http2Events::Create().value();
  const std::shared_ptr<CountingTask> busy_ = std::make_shared<CountingTask>(events_.get(), true);
  const std::shared_ptr<CountingTask> reader_ =
      std::make_shared<CountingTask>(events_.get(), false);
  const std::shared_ptr<CountingTask> timed_ = std::make_shared<CountingTask>(events_.get(), false);
  std::array<int, 2> sockets_{};
};

TEST_F(BusyEventsTest, OthersAreFoundByWait) {
  EventQueue::Event event;
  for (int i = 0; i < 100; ++i) {
    if (events_->Wait(Instant::InfinitePast(), &event) == EventQueue::Got::kEvent) {
      events_->Handle(event);
    }
  }
  EXPECT_GE(reader_->runs(), 1);
  EXPECT_EQ(timed_->runs(), 1);
  EXPECT_GT(busy_->runs(), 80);
}

TEST_F(BusyEventsTest, OthersAreFoundByTakeReady) {
  EventQueue::Event event;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(events_->TakeReady(&event));
    events_->Handle(event);
  }
  EXPECT_GE(reader_->runs(), 1);
  EXPECT_EQ(timed_->runs(), 1);
}

}  // namespace
}  // namespace hellocnn::server
