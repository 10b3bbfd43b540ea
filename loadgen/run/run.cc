#include "loadgen/run/run.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "base/cpu_quota.h"
#include "loadgen/run/load_worker.h"
#include "loadgen/run/own_cpu.h"

namespace hellocnn::load {
namespace {

// Time between the creation of the workers and the first request, so that all begin together.
constexpr Nanos kLeadTime = std::chrono::milliseconds(20);

double Seconds(Nanos duration) { return std::chrono::duration<double>(duration).count(); }

// Measures the CPU time that the process used between two moments.
class CostMeter {
 public:
  OwnCost Since(Nanos now, Nanos busiest) const {
    OwnCost cost;
    cost.cpu_seconds = ProcessCpuSeconds() - cpu_seconds_;
    cost.elapsed_seconds = Seconds(now - at_);
    cost.cpus = cpus_;
    if (cost.elapsed_seconds > 0) {
      cost.busiest_thread = std::max(0.0, Seconds(busiest - busiest_) / cost.elapsed_seconds);
    }
    return cost;
  }

  void Reset(Nanos now, Nanos busiest) {
    cpu_seconds_ = ProcessCpuSeconds();
    at_ = now;
    busiest_ = busiest;
  }

 private:
  const double cpus_ = CpuQuota();
  double cpu_seconds_ = 0;
  Nanos at_{0};
  Nanos busiest_{0};
};

std::vector<std::unique_ptr<LoadWorker>> MakeWorkers(const Plan& plan, const Protocol& protocol,
                                                     const Channels& channels) {
  std::vector<std::unique_ptr<LoadWorker>> workers;
  // A worker that would have no slot is not created.
  const int count = std::min({plan.threads, plan.in_flight, static_cast<int>(channels.size())});
  for (int i = 0; i < count; ++i) {
    WorkerOptions options;
    options.protocol = &protocol;
    for (std::size_t c = i; c < channels.size(); c += count)
      options.channels.push_back(channels[c]);
    options.slots = plan.in_flight / count + (i < plan.in_flight % count ? 1 : 0);
    options.first_request = protocol.requests() * i / count;
    options.timeout = plan.timeout;
    options.warm_up = plan.limits.warm_up;
    options.interval = kInterval;
    std::unique_ptr<Arrivals> arrivals;
    if (plan.arrivals) arrivals = EveryNth(plan.arrivals(), i, count);
    workers.push_back(std::make_unique<LoadWorker>(
        options, Pacer(plan.limits.Share(i, count), std::move(arrivals))));
  }
  return workers;
}

// Counts the measured requests of an open loop that were due, sent or not. In a closed loop none is
// due.
class DueRequests {
 public:
  explicit DueRequests(const Plan& plan)
      : schedule_(plan.limits, plan.arrivals ? plan.arrivals() : nullptr) {
    if (schedule_.open_loop()) Advance();
  }

  // Returns how many were due before `end`, which never goes back.
  std::int64_t Before(Nanos end) {
    while (more_ && next_.intended < end) {
      if (next_.measured) ++count_;
      Advance();
    }
    return count_;
  }

 private:
  void Advance() {
    const std::optional<Departure> departure = schedule_.Next(Nanos(0));
    more_ = departure.has_value();
    if (more_) next_ = *departure;
  }

  Pacer schedule_;
  Departure next_{};
  bool more_ = false;  // false: nothing is due after `next_`, which has been counted
  std::int64_t count_ = 0;
};

// Sets the part of the run that rates refer to.
void SetRates(const RunLimits& limits, Nanos sending_ended, bool ended_by_count, Outcome& outcome) {
  const std::int64_t whole = sending_ended / kInterval;
  if (!ended_by_count && whole > 0) {
    outcome.intervals.resize(whole);
    outcome.seconds = static_cast<double>(whole) * Seconds(kInterval);
  } else {
    outcome.seconds = std::max(0.0, Seconds(outcome.total.last_ended - limits.warm_up));
  }
  for (const Interval& interval : outcome.intervals) {
    outcome.answered_in_time += interval.answered;
    outcome.failed_in_time += interval.failed;
    outcome.images_in_time += interval.images;
  }
}

// Returns the length described at Windows::length.
Nanos WindowLength(const Plan& plan) {
  if (plan.windows.length > Nanos(0)) return plan.windows.length;
  const Nanos tenth = plan.limits.duration / 10 / kInterval * kInterval;
  return std::clamp<Nanos>(tenth, kInterval, std::chrono::seconds(1));
}

// Judges the windows that were complete when the last request was sent.
Steadiness SteadinessOf(const Outcome& outcome) {
  const auto whole =
      static_cast<std::size_t>(outcome.seconds / Seconds(outcome.window_length) + 1e-6);
  const absl::Span<const Window> windows(outcome.windows);
  return JudgeSteadiness(windows.subspan(0, std::min(whole, windows.size())), outcome.judged_by);
}

}  // namespace

Outcome Measure(const Plan& plan, const Protocol& protocol, const Channels& channels,
                absl::Span<Observer* const> observers, const std::atomic<bool>& stop) {
  const bool timed = plan.limits.duration != Nanos::max();
  Outcome outcome;
  outcome.open_loop = static_cast<bool>(plan.arrivals);
  std::vector<std::unique_ptr<LoadWorker>> workers = MakeWorkers(plan, protocol, channels);
  const SteadyClock::time_point start = SteadyClock::now() + kLeadTime;
  CostMeter whole;
  whole.Reset(SteadyClock::now() - start, Nanos(0));
  for (const auto& worker : workers) worker->Start(start);

  outcome.window_length = WindowLength(plan);
  outcome.judged_by = plan.windows.judged_by;
  Collector collector(outcome.window_length);
  CostMeter since_last_view;
  bool warming_up = plan.limits.warm_up > Nanos(0);
  DueRequests due(plan);
  std::int64_t due_count = 0;
  Nanos sending_ended{-1};
  std::optional<Nanos> stopped_at;
  bool ended_by_count = false;
  std::optional<Nanos> steady_at;  // with until_steady: the end of the steady windows
  const auto all = [&](auto property) {
    return std::all_of(workers.begin(), workers.end(), property);
  };
  for (bool finished = false; !finished;) {
    std::this_thread::sleep_for(kInterval);
    const Nanos now = SteadyClock::now() - start;
    // Read before the pages are collected, so that no page is missed.
    finished = all([](const auto& worker) { return worker->ended(); });
    Nanos busiest{0};
    std::int64_t in_flight = 0;
    for (const auto& worker : workers) {
      busiest = std::max(busiest, worker->BusiestThread());
      in_flight += worker->in_flight();
    }
    if (warming_up && now >= plan.limits.warm_up) {
      warming_up = false;
      whole.Reset(now, busiest);
    }
    if (stop.load() && !stopped_at.has_value()) stopped_at = now;
    if (stopped_at.has_value() && now >= *stopped_at + kPatienceAfterStop) {
      for (const auto& worker : workers) worker->CancelCalls();
    }
    if (sending_ended < Nanos(0)) {
      const Nanos planned_end = timed ? plan.limits.warm_up + plan.limits.duration : Nanos::max();
      const bool sent_all = all([](const auto& worker) { return worker->sent_all(); });
      if (stopped_at || steady_at) {
        for (const auto& worker : workers) worker->StopSending();
      }
      due_count = due.Before(std::min(now, planned_end));
      if (stopped_at || steady_at || sent_all || now >= planned_end) {
        outcome.interrupted = stopped_at && !sent_all && now < planned_end;
        const bool out_of_time =
            now >= planned_end ||
            (sent_all && all([](const auto& worker) { return worker->ended_by_time(); }));
        sending_ended = steady_at.value_or(
            std::max(Nanos(0), (out_of_time ? planned_end : now) - plan.limits.warm_up));
        ended_by_count = !outcome.interrupted && !steady_at && !out_of_time;
        outcome.cost = whole.Since(now, busiest);
      }
    }
    std::vector<const Tally*> latest;
    std::vector<std::pair<LoadWorker*, std::vector<std::unique_ptr<Page>>>> taken;
    for (const auto& worker : workers) {
      taken.emplace_back(worker.get(), worker->ledger().Collect());
      for (const std::unique_ptr<Page>& page : taken.back().second) {
        collector.Take(*page, in_flight);
        for (const Tally* tally : {&page->warm_up, &page->measured}) {
          if (tally->requests() > 0) latest.push_back(tally);
        }
      }
    }
    if (now > plan.limits.warm_up) {
      // A worker hands over an interval soon after its end.
      collector.CloseBefore((now - plan.limits.warm_up) / kInterval - 2);
      if (plan.windows.until_steady && sending_ended < Nanos(0) &&
          JudgeSteadiness(collector.windows(), plan.windows.judged_by).steady()) {
        steady_at = outcome.window_length * collector.windows().size();
      }
    }
    const View view{now,       now < plan.limits.warm_up,
                    latest,    &collector.total(),
                    in_flight, since_last_view.Since(now, busiest).CpuRatio()};
    since_last_view.Reset(now, busiest);
    for (Observer* observer : observers) observer->See(view);
    for (auto& [worker, pages] : taken) worker->ledger().Recycle(std::move(pages));
  }
  collector.CloseAll();
  for (const auto& worker : workers) outcome.cancelled += worker->cancelled();
  outcome.interrupted = outcome.interrupted || outcome.cancelled > 0;
  outcome.total = collector.total();
  outcome.warm_up = collector.warm_up();
  outcome.intervals = collector.intervals();
  outcome.windows = collector.windows();
  outcome.unsent =
      std::max<std::int64_t>(0, due_count - outcome.total.requests() - outcome.cancelled);
  SetRates(plan.limits, sending_ended, ended_by_count, outcome);
  outcome.steadiness = SteadinessOf(outcome);
  return outcome;
}

}  // namespace hellocnn::load
