#include "loadgen/core/collector.h"

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace hellocnn::load {
namespace {

constexpr double kIntervalSeconds = std::chrono::duration<double>(kInterval).count();

}  // namespace

Collector::Collector(Nanos window)
    : intervals_in_window_(std::max<std::int64_t>(1, window / kInterval)) {}

void Collector::Take(const Page& page, std::int64_t in_flight) {
  total_.Add(page.measured);
  warm_up_.Add(page.warm_up);
  const Tally& of = page.measured;
  if (of.requests() == 0 || page.interval < 0) return;
  const auto at = static_cast<std::size_t>(page.interval);
  if (at >= intervals_.size()) intervals_.resize(at + 1);
  Interval& interval = intervals_[at];
  interval.answered += of.answered();
  interval.failed += of.failed();
  interval.images += of.images;
  Open& window = open_[std::max(page.interval / intervals_in_window_, next_window_)];
  window.answered += of.answered();
  window.failed += of.failed();
  window.images += of.images;
  window.latency.Add(of.latency);
  window.in_flight = in_flight;
}

void Collector::CloseBefore(std::int64_t interval) {
  while (!open_.empty() && (next_window_ + 1) * intervals_in_window_ <= interval) CloseNext();
}

void Collector::CloseAll() {
  while (!open_.empty()) CloseNext();
}

void Collector::CloseNext() {
  const double length = static_cast<double>(intervals_in_window_) * kIntervalSeconds;
  Window window{};  // counts stay 0 if no request ended in it
  window.start_seconds = static_cast<double>(next_window_) * length;
  window.length_seconds = length;
  if (const auto found = open_.find(next_window_); found != open_.end()) {
    const Open& open = found->second;
    window.answered = open.answered;
    window.failed = open.failed;
    window.images = open.images;
    window.p50 = open.latency.ValueAt(0.5);
    window.p99 = open.latency.ValueAt(0.99);
    window.max = open.latency.max();
    window.in_flight = open.in_flight;
    open_.erase(found);
  }
  windows_.push_back(window);
  ++next_window_;
}

}  // namespace hellocnn::load
