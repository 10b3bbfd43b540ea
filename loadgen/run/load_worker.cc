#include "loadgen/run/load_worker.h"

#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <ctime>
#include <utility>

namespace hellocnn::load {
namespace {

// The longest time in which a thread does not notice that it must stop.
constexpr Nanos kWorkerNap = std::chrono::milliseconds(20);
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

LoadWorker::LoadWorker(const WorkerOptions& options, Pacer pacer)
    : options_(options),
      pacer_(std::move(pacer)),
      ledger_(options.warm_up, options.interval),
      slots_(options.slots),
      free_(options.slots),
      next_request_(options.first_request % options.protocol->requests()) {
  const CallerOptions caller{options.protocol, options.channels, &queue_, options.slots,
                             options.timeout};
  Ended ended = [this](int slot, Verdict& verdict) { OnEnd(slot, verdict); };
  caller_ = options.protocol->streaming() ? StreamCaller(caller, std::move(ended))
                                          : UnaryCaller(caller, std::move(ended));
}

LoadWorker::~LoadWorker() {
  StopSending();
  if (sender_.joinable()) sender_.join();
  if (handler_.joinable()) handler_.join();
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

void LoadWorker::Start(SteadyClock::time_point start) {
  start_ = start;
  handler_ = std::thread([this] { HandleEvents(); });
  if (pacer_.open_loop()) {
    for (int slot = 0; slot < options_.slots; ++slot) free_.Push(slot);
    sender_ = std::thread([this] { SendOnSchedule(); });
  }
}

Nanos LoadWorker::BusiestThread() {
  return std::max(
      {CpuTime(sender_), CpuTime(handler_), Nanos(sender_cpu_.load()), Nanos(handler_cpu_.load())});
}

void LoadWorker::Send(int slot, const Departure& departure, Nanos now, bool held) {
  slots_[slot] = {{departure.intended, now, Nanos(0), held}, departure.measured};
  in_flight_.fetch_add(1, std::memory_order_relaxed);
  const std::size_t request = next_request_;
  if (++next_request_ == options_.protocol->requests()) next_request_ = 0;
  caller_->Send(slot, request);
}

void LoadWorker::SendOnSchedule() {
  // Otherwise the kernel extends each sleep by up to 50 us.
  prctl(PR_SET_TIMERSLACK, 1000);
  bool held = false;  // true from when all slots were taken until the schedule is caught up with
  while (!Stopped()) {
    const std::optional<Departure> departure = pacer_.Next(Now());
    if (!departure.has_value()) break;
    Nanos now = Now();
    while (now < departure->intended && !Stopped()) {
      std::this_thread::sleep_until(start_ + std::min(departure->intended, now + kWorkerNap));
      now = Now();
      held = false;
    }
    std::optional<int> slot = free_.Pop();
    while (!slot.has_value() && !Stopped() && !pacer_.Over(Now())) {
      held = true;
      std::this_thread::sleep_for(kHeldNap);
      slot = free_.Pop();
    }
    now = Now();
    if (!slot.has_value() || Stopped() || pacer_.Over(now)) break;
    Send(*slot, *departure, now, held);
  }
  sender_cpu_.store(Read(CLOCK_THREAD_CPUTIME_ID).count());
  sent_all_.store(true, std::memory_order_release);
}

void LoadWorker::RefillClosedLoop(int slot) {
  const Nanos now = Now();
  std::optional<Departure> departure;
  // Once sent_all() is true, other threads read the pacer.
  if (!Stopped() && !sent_all()) departure = pacer_.Next(now);
  if (departure.has_value()) {
    Send(slot, *departure, now, /*held=*/false);
  } else {
    sent_all_.store(true, std::memory_order_release);
  }
}

void LoadWorker::OnEnd(int slot, Verdict& verdict) {
  Slot& ended = slots_[slot];
  ended.sample.ended = event_at_;
  if (verdict.code == grpc::CANCELLED && cancel_.load(std::memory_order_relaxed)) {
    cancelled_.fetch_add(1, std::memory_order_relaxed);
  } else {
    ledger_.Record(ended.sample, ended.measured, verdict);
  }
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
  if (pacer_.open_loop()) {
    free_.Push(slot);
  } else {
    RefillClosedLoop(slot);
  }
}

void LoadWorker::HandleEvents() {
  std::this_thread::sleep_until(start_);
  if (!pacer_.open_loop()) {
    for (int slot = 0; slot < options_.slots; ++slot) RefillClosedLoop(slot);
  }
  bool finishing = false;
  bool cancelled = false;
  Nanos now = Now();
  Nanos next_tick = now;
  gpr_timespec wake{};
  while (true) {
    if (now >= next_tick) {
      next_tick = now + kWorkerNap;
      wake = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                          gpr_time_from_nanos(kWorkerNap.count(), GPR_TIMESPAN));
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
    // A closed loop sends only here, when a request has ended; in a server that hangs none ends.
    if (Stopped() && !pacer_.open_loop()) sent_all_.store(true, std::memory_order_release);
    if (!cancelled && cancel_.load(std::memory_order_relaxed) && sent_all()) {
      caller_->Cancel();
      cancelled = true;
    }
    // sent_all() is read before in_flight(): a request counts as in flight before sent_all()
    // becomes true.
    if (!finishing && sent_all() && in_flight() == 0) {
      caller_->Finish();
      finishing = true;
    }
    if (finishing && !caller_->open()) break;
  }
  ledger_.Finish();
  handler_cpu_.store(Read(CLOCK_THREAD_CPUTIME_ID).count());
  ended_.store(true, std::memory_order_release);
}

}  // namespace hellocnn::load
