#include "loadgen/run/run.h"

#include <grpc/support/time.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/cpu_quota.h"
#include "base/version.h"
#include "loadgen/run/own_cpu.h"
#include "loadgen/run/worker.h"

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

std::vector<std::unique_ptr<Worker>> MakeWorkers(const Plan& plan, const Protocol& protocol,
                                                 const Channels& channels) {
  std::vector<std::unique_ptr<Worker>> workers;
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
    workers.push_back(
        std::make_unique<Worker>(options, Pacer(plan.limits.Share(i, count), std::move(arrivals))));
  }
  return workers;
}

// Sets the part of the run that rates refer to.
void SetRates(const Limits& limits, Nanos sending_ended, bool ended_by_count, Outcome& outcome) {
  const std::int64_t whole = sending_ended / kInterval;
  if (!ended_by_count && whole > 0) {
    outcome.intervals.resize(whole);
    outcome.seconds = static_cast<double>(whole) * Seconds(kInterval);
  } else {
    outcome.seconds = std::max(0.0, Seconds(outcome.total.last_done - limits.warm_up));
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

absl::StatusOr<Channels> Connect(const std::string& target, int count, Nanos patience) {
  Channels channels;
  for (int i = 0; i < count; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetUserAgentPrefix(absl::StrCat("hellocnn-load/", kVersion));
    // Channels with equal arguments would share a connection.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt("hellocnn.load.connection", i);
    // gRPC's optional parts cost a sixth of the instructions of a call. Only deadlines are needed
    // here; retries would even hide failures.
    arguments.SetInt(GRPC_ARG_MINIMAL_STACK, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_DEADLINE_CHECKS, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
    arguments.SetMaxReceiveMessageSize(-1);
    channels.push_back(
        grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments));
    channels.back()->GetState(/*try_to_connect=*/true);
  }
  const gpr_timespec until = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                                          gpr_time_from_nanos(patience.count(), GPR_TIMESPAN));
  for (int i = 0; i < count; ++i) {
    if (!channels[i]->WaitForConnected(until)) {
      return absl::UnavailableError(absl::StrCat("only ", i, " of ", count, " connections to ",
                                                 target, " were made in time"));
    }
  }
  return channels;
}

Outcome Measure(const Plan& plan, const Protocol& protocol, const Channels& channels,
                absl::Span<Observer* const> observers, const std::atomic<bool>& stop) {
  const bool timed = plan.limits.duration != Nanos::max();
  Outcome outcome;
  outcome.open_loop = static_cast<bool>(plan.arrivals);
  std::vector<std::unique_ptr<Worker>> workers = MakeWorkers(plan, protocol, channels);
  const Clock::time_point start = Clock::now() + kLeadTime;
  CostMeter whole;
  whole.Reset(Clock::now() - start, Nanos(0));
  for (const auto& worker : workers) worker->Start(start);

  outcome.window_length = WindowLength(plan);
  outcome.judged_by = plan.windows.judged_by;
  Collector collector(outcome.window_length);
  CostMeter since_last_view;
  bool warming_up = plan.limits.warm_up > Nanos(0);
  Nanos sending_ended{-1};
  bool ended_by_count = false;
  std::optional<Nanos> steady_at;  // with until_steady: the end of the steady windows
  const auto all = [&](auto property) {
    return std::all_of(workers.begin(), workers.end(), property);
  };
  for (bool finished = false; !finished;) {
    std::this_thread::sleep_for(kInterval);
    const Nanos now = Clock::now() - start;
    // Read before the pages are collected, so that no page is missed.
    finished = all([](const auto& worker) { return worker->finished(); });
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
    if (sending_ended < Nanos(0)) {
      const Nanos planned_end = timed ? plan.limits.warm_up + plan.limits.duration : Nanos::max();
      const bool sent_all = all([](const auto& worker) { return worker->sent_all(); });
      outcome.interrupted = stop.load();
      if (outcome.interrupted || steady_at) {
        for (const auto& worker : workers) worker->StopSending();
      }
      if (outcome.interrupted || steady_at || sent_all || now >= planned_end) {
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
    std::vector<std::pair<Worker*, std::vector<std::unique_ptr<Page>>>> taken;
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
  outcome.total = collector.total();
  outcome.warm_up = collector.warm_up();
  outcome.intervals = collector.intervals();
  outcome.windows = collector.windows();
  SetRates(plan.limits, sending_ended, ended_by_count, outcome);
  outcome.steadiness = SteadinessOf(outcome);
  return outcome;
}

}  // namespace hellocnn::load
