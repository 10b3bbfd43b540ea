#include "client/load/collector.h"

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace hellocnn::load {
namespace {

constexpr double kIntervalSeconds = std::chrono::duration<double>(kInterval).count();

}  // namespace

Collector::Collector(Nanos point)
    : intervals_in_point_(std::max<std::int64_t>(1, point / kInterval)) {}

void Collector::Take(const Page& page, std::int64_t in_flight) {
  total_.Add(page.measured);
  const Tally& of = page.measured;
  if (of.requests() == 0 || page.interval < 0) return;
  const auto at = static_cast<std::size_t>(page.interval);
  if (at >= intervals_.size()) intervals_.resize(at + 1);
  Interval& interval = intervals_[at];
  interval.answered += of.answered();
  interval.failed += of.failed();
  interval.images += of.images;
  interval.latency_sum_seconds += of.latency.sum() * 1e-9;
  Open& point = open_[std::max(page.interval / intervals_in_point_, next_point_)];
  point.answered += of.answered();
  point.failed += of.failed();
  point.images += of.images;
  point.latency.Add(of.latency);
  point.in_flight = in_flight;
}

void Collector::CloseBefore(std::int64_t interval) {
  while (!open_.empty() && (next_point_ + 1) * intervals_in_point_ <= interval) CloseNext();
}

void Collector::CloseAll() {
  while (!open_.empty()) CloseNext();
}

void Collector::CloseNext() {
  const double length = static_cast<double>(intervals_in_point_) * kIntervalSeconds;
  Point point{};  // of a stretch in which nothing ended
  point.start_seconds = static_cast<double>(next_point_) * length;
  point.length_seconds = length;
  if (const auto found = open_.find(next_point_); found != open_.end()) {
    const Open& open = found->second;
    point.answered = open.answered;
    point.failed = open.failed;
    point.images = open.images;
    point.p50 = open.latency.ValueAt(0.5);
    point.p99 = open.latency.ValueAt(0.99);
    point.max = open.latency.max();
    point.in_flight = open.in_flight;
    open_.erase(found);
  }
  points_.push_back(point);
  ++next_point_;
}

}  // namespace hellocnn::load
