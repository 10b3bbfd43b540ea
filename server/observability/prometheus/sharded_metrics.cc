#include "server/observability/prometheus/sharded_metrics.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/mutex.h"

namespace hellocnn::server {
namespace {

std::uint64_t NextId() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

void ShardedMetrics::Histogram::Observe(double value) const {
  const std::size_t sum = bounds_.size() + 1;
  Cell* const cells = metrics_->Mine(first_ + sum) + first_;
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  Add(cells[bound - bounds_.begin()], 1);
  Add(cells[sum], value);
}

ShardedMetrics::ShardedMetrics() : id_(NextId()) {}

ShardedMetrics::Counter ShardedMetrics::AddCounter(const std::string& name, const std::string& help,
                                                   const prometheus::Labels& labels) {
  return {this, AddSeries(name, help, prometheus::MetricType::Counter, labels, {}, 1)};
}

ShardedMetrics::Counter ShardedMetrics::AddGauge(const std::string& name, const std::string& help,
                                                 const prometheus::Labels& labels) {
  return {this, AddSeries(name, help, prometheus::MetricType::Gauge, labels, {}, 1)};
}

ShardedMetrics::Histogram ShardedMetrics::AddHistogram(const std::string& name,
                                                       const std::string& help,
                                                       std::span<const double> bounds,
                                                       const prometheus::Labels& labels) {
  return {this, AddSeries(name, help, prometheus::MetricType::Histogram, labels, bounds, 2),
          bounds};
}

std::size_t ShardedMetrics::AddSeries(const std::string& name, const std::string& help,
                                      prometheus::MetricType type, const prometheus::Labels& labels,
                                      std::span<const double> bounds, std::size_t more) {
  Series series{.labels = {}, .first = 0, .bounds = bounds};
  for (const auto& [label, value] : labels) series.labels.push_back({label, value});
  MutexLock lock(&mutex_);
  auto family = std::find_if(families_.begin(), families_.end(),
                             [&](const Family& known) { return known.name == name; });
  if (family == families_.end()) {
    family = families_.insert(families_.end(), {name, help, type, {}});
  }
  const auto known =
      std::find_if(family->series.begin(), family->series.end(),
                   [&](const Series& other) { return other.labels == series.labels; });
  if (known != family->series.end()) return known->first;
  series.first = std::exchange(cells_, cells_ + bounds.size() + more);
  family->series.push_back(std::move(series));
  return family->series.back().first;
}

const ShardedMetrics::Shard& ShardedMetrics::FindOrGrowShard() {
  const std::thread::id thread = std::this_thread::get_id();
  MutexLock lock(&mutex_);
  const auto found =
      std::find_if(shards_.begin(), shards_.end(),
                   [&](const std::unique_ptr<Shard>& shard) { return shard->thread == thread; });
  if (found == shards_.end()) {
    shards_.push_back(std::make_unique<Shard>(
        Shard{.thread = thread, .cells = std::make_unique<Cell[]>(cells_), .size = cells_}));
    return *shards_.back();
  }
  Shard& shard = **found;
  if (shard.size < cells_) {
    // No other thread writes to the cells, and threads that read them hold the lock.
    auto cells = std::make_unique<Cell[]>(cells_);
    for (std::size_t i = 0; i < shard.size; ++i) {
      cells[i].store(shard.cells[i].load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
    shard.cells = std::move(cells);
    shard.size = cells_;
  }
  return shard;
}

double ShardedMetrics::Sum(std::size_t cell) const {
  MutexLock lock(&mutex_);
  double sum = 0;
  for (const auto& shard : shards_) {
    if (cell < shard->size) sum += shard->cells[cell].load(std::memory_order_relaxed);
  }
  return sum;
}

std::vector<prometheus::MetricFamily> ShardedMetrics::Collect() const {
  MutexLock lock(&mutex_);
  std::vector<double> sums(cells_);
  for (const auto& shard : shards_) {
    for (std::size_t i = 0; i < shard->size; ++i) {
      sums[i] += shard->cells[i].load(std::memory_order_relaxed);
    }
  }
  std::vector<prometheus::MetricFamily> collected;
  for (const Family& family : families_) {
    prometheus::MetricFamily& out = collected.emplace_back();
    out.name = family.name;
    out.help = family.help;
    out.type = family.type;
    for (const Series& series : family.series) {
      prometheus::ClientMetric& metric = out.metric.emplace_back();
      metric.label = series.labels;
      const double* const cells = &sums[series.first];
      if (family.type == prometheus::MetricType::Counter) {
        metric.counter.value = cells[0];
      } else if (family.type == prometheus::MetricType::Gauge) {
        metric.gauge.value = std::max(cells[0], 0.0);
      } else {
        double count = 0;
        for (std::size_t i = 0; i <= series.bounds.size(); ++i) {
          count += cells[i];
          const double bound =
              i < series.bounds.size() ? series.bounds[i] : std::numeric_limits<double>::infinity();
          metric.histogram.bucket.push_back({static_cast<std::uint64_t>(count), bound});
        }
        metric.histogram.sample_count = static_cast<std::uint64_t>(count);
        metric.histogram.sample_sum = cells[series.bounds.size() + 1];
      }
    }
  }
  return collected;
}

}  // namespace hellocnn::server
