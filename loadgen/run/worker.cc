#include "loadgen/run/worker.h"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace hellocnn::load {
namespace {

// The longest time in which a thread does not notice that it must stop.
constexpr Nanos kNap = std::chrono::milliseconds(20);
// The time that the sender waits before it looks for a free slot again.
constexpr Nanos kHeldNap = std::chrono::microseconds(100);

Nanos Read(clockid_t clock) {
  timespec used{};
  if (clock_gettime(clock, &used) != 0) return Nanos(0);
  return std::chrono::seconds(used.tv_sec) + Nanos(used.tv_nsec);
}

// Returns 0 for a thread that is not running.
Nanos CpuTime(std::thread& thread) {
  clockid_t clock{};
  if (!thread.joinable() || pthread_getcpuclockid(thread.native_handle(), &clock) != 0) {
    return Nanos(0);
  }
  return Read(clock);
}

}  // namespace

Worker::Worker(const WorkerOptions& options, Pacer pacer)
    : options_(options),
      pacer_(std::move(pacer)),
      ledger_(options.warm_up, options.interval),
      slots_(options.slots),
      free_(options.slots),
      next_request_(options.first_request % options.protocol->requests()) {
  const CallerOptions caller{options.protocol, options.channels, &queue_, options.slots,
                             options.timeout};
  Ended ended = [this](int slot, Verdict& verdict) { End(slot, verdict); };
  caller_ = options.protocol->streaming() ? StreamCaller(caller, std::move(ended))
                                          : UnaryCaller(caller, std::move(ended));
}

Worker::~Worker() {
  StopSending();
  if (sender_.joinable()) sender_.join();
  if (handler_.joinable()) handler_.join();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

void Worker::Start(Clock::time_point start) {
  start_ = start;
  handler_ = std::thread([this] { HandleEvents(); });
  if (pacer_.open_loop()) {
    for (int slot = 0; slot < options_.slots; ++slot) free_.Push(slot);
    sender_ = std::thread([this] { SendOnSchedule(); });
  }
}

Nanos Worker::BusiestThread() {
  return std::max(
      {CpuTime(sender_), CpuTime(handler_), Nanos(sender_cpu_.load()), Nanos(handler_cpu_.load())});
}

void Worker::Send(int slot, const Departure& departure, Nanos now, bool held) {
  slots_[slot] = {{departure.intended, now, Nanos(0), held}, departure.measured};
  in_flight_.fetch_add(1, std::memory_order_relaxed);
  const std::size_t request = next_request_;
  if (++next_request_ == options_.protocol->requests()) next_request_ = 0;
  caller_->Send(slot, request);
}

void Worker::SendOnSchedule() {
  // Otherwise the kernel extends each sleep by up to 50 us.
  prctl(PR_SET_TIMERSLACK, 1000);
  bool held = false;  // true from when all slots were taken until the schedule is caught up with
  while (!stop_.load(std::memory_order_relaxed)) {
    const std::optional<Departure> departure = pacer_.Next(Now());
    if (!departure.has_value()) break;
    Nanos now = Now();
    while (now < departure->intended && !stop_.load(std::memory_order_relaxed)) {
      std::this_thread::sleep_until(start_ + std::min(departure->intended, now + kNap));
      now = Now();
      held = false;
    }
    std::optional<int> slot = free_.Pop();
    while (!slot.has_value() && !stop_.load(std::memory_order_relaxed)) {
      held = true;
      std::this_thread::sleep_for(kHeldNap);
      slot = free_.Pop();
    }
    if (stop_.load(std::memory_order_relaxed)) break;
    Send(*slot, *departure, Now(), held);
  }
  sender_cpu_.store(Read(CLOCK_THREAD_CPUTIME_ID).count());
  sent_all_.store(true, std::memory_order_release);
}

void Worker::RefillClosedLoop(int slot) {
  const Nanos now = Now();
  std::optional<Departure> departure;
  if (!stop_.load(std::memory_order_relaxed)) departure = pacer_.Next(now);
  if (departure.has_value()) {
    Send(slot, *departure, now, /*held=*/false);
  } else {
    sent_all_.store(true, std::memory_order_release);
  }
}

void Worker::End(int slot, Verdict& verdict) {
  Slot& ended = slots_[slot];
  ended.sample.done = event_at_;
  ledger_.Record(ended.sample, ended.measured, verdict);
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
  if (pacer_.open_loop()) {
    free_.Push(slot);
  } else {
    RefillClosedLoop(slot);
  }
}

void Worker::HandleEvents() {
  std::this_thread::sleep_until(start_);
  if (!pacer_.open_loop()) {
    for (int slot = 0; slot < options_.slots; ++slot) RefillClosedLoop(slot);
  }
  bool closing = false;
  Nanos now = Now();
  Nanos next_tick = now;
  gpr_timespec wake{};
  while (true) {
    if (now >= next_tick) {
      next_tick = now + kNap;
      wake = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                          gpr_time_from_nanos(kNap.count(), GPR_TIMESPAN));
      ledger_.Advance(now);
      caller_->Tick();
    }
    void* tag = nullptr;
    bool ok = false;
    const bool event = queue_.AsyncNext(&tag, &ok, wake) == grpc::CompletionQueue::GOT_EVENT;
    now = Now();
    if (event) {
      event_at_ = now;
      caller_->Handle(tag, ok);
    }
    // sent_all() is read before in_flight(): a request counts as in flight before sent_all()
    // becomes true.
    if (!closing && sent_all() && in_flight() == 0) {
      caller_->Close();
      closing = true;
    }
    if (closing && !caller_->open()) break;
  }
  ledger_.Close();
  handler_cpu_.store(Read(CLOCK_THREAD_CPUTIME_ID).count());
  finished_.store(true, std::memory_order_release);
}

}  // namespace hellocnn::load
