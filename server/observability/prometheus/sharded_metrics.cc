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
  Cell* const cells = metrics_->Mine() + first_;
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  Add(cells[bound - bounds_.begin()], 1);
  Add(cells[bounds_.size() + 1], value);
}

void ShardedMetrics::Histogram::ObserveMany(std::span<const int> buckets, double sum) const {
  Cell* const cells = metrics_->Mine() + first_;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    if (buckets[i] > 0) Add(cells[i], buckets[i]);
  }
  Add(cells[bounds_.size() + 1], sum);
}

ShardedMetrics::ShardedMetrics() : id_(NextId()) {}

ShardedMetrics::Counter ShardedMetrics::AddCounter(const std::string& name, const std::string& help,
                                                   const prometheus::Labels& labels) {
  return {this, AddSeries(name, help, prometheus::MetricType::Counter, labels, 1, {})};
}

ShardedMetrics::Counter ShardedMetrics::AddGauge(const std::string& name, const std::string& help,
                                                 const prometheus::Labels& labels) {
  return {this, AddSeries(name, help, prometheus::MetricType::Gauge, labels, 1, {})};
}

ShardedMetrics::Histogram ShardedMetrics::AddHistogram(const std::string& name,
                                                       const std::string& help,
                                                       std::span<const double> bounds,
                                                       const prometheus::Labels& labels) {
  return {
      this,
      AddSeries(name, help, prometheus::MetricType::Histogram, labels, bounds.size() + 2, bounds),
      bounds};
}

std::size_t ShardedMetrics::AddSeries(const std::string& name, const std::string& help,
                                      prometheus::MetricType type, const prometheus::Labels& labels,
                                      std::size_t cells, std::span<const double> bounds) {
  auto family = std::find_if(families_.begin(), families_.end(),
                             [&](const Family& known) { return known.name == name; });
  if (family == families_.end()) {
    family = families_.insert(families_.end(), {name, help, type, {}});
  }
  Series series{{}, std::exchange(cells_, cells_ + cells), bounds};
  for (const auto& [label, value] : labels) series.labels.push_back({label, value});
  family->series.push_back(std::move(series));
  return family->series.back().first;
}

ShardedMetrics::Cell* ShardedMetrics::FindOrAddShard() {
  const std::thread::id thread = std::this_thread::get_id();
  MutexLock lock(&mutex_);
  for (const Shard& shard : shards_) {
    if (shard.thread == thread) return shard.cells.get();
  }
  shards_.push_back({thread, std::make_unique<Cell[]>(cells_)});
  return shards_.back().cells.get();
}

double ShardedMetrics::Sum(std::size_t cell) const {
  MutexLock lock(&mutex_);
  double sum = 0;
  for (const Shard& shard : shards_) sum += shard.cells[cell].load(std::memory_order_relaxed);
  return sum;
}

std::vector<prometheus::MetricFamily> ShardedMetrics::Collect() const {
  std::vector<double> sums(cells_);
  {
    MutexLock lock(&mutex_);
    for (const Shard& shard : shards_) {
      for (std::size_t i = 0; i < cells_; ++i) {
        sums[i] += shard.cells[i].load(std::memory_order_relaxed);
      }
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
