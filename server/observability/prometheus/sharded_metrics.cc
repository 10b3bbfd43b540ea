#include "server/observability/prometheus/sharded_metrics.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "base/mutex.h"

namespace hellocnn::server {
namespace {

std::uint64_t NextId() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

bool HasAll(const prometheus::Labels& labels, const prometheus::Labels& wanted) {
  return std::includes(labels.begin(), labels.end(), wanted.begin(), wanted.end());
}

// Returns the labels, with the values of `instead` for those that it names.
prometheus::Labels With(prometheus::Labels labels, const prometheus::Labels& instead) {
  for (auto& [label, value] : labels) {
    if (const auto other = instead.find(label); other != instead.end()) value = other->second;
  }
  return labels;
}

// Returns a series as it is shown. `values` are what its cells add up to.
prometheus::ClientMetric Metric(prometheus::MetricType type, const prometheus::Labels& labels,
                                std::span<const double> bounds, const double* values) {
  prometheus::ClientMetric metric;
  for (const auto& [label, value] : labels) metric.label.push_back({label, value});
  if (type == prometheus::MetricType::Counter) {
    metric.counter.value = values[0];
  } else if (type == prometheus::MetricType::Gauge) {
    metric.gauge.value = std::max(values[0], 0.0);
  } else {
    double count = 0;
    for (std::size_t i = 0; i <= bounds.size(); ++i) {
      count += values[i];
      const double bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
      metric.histogram.bucket.push_back({static_cast<std::uint64_t>(count), bound});
    }
    metric.histogram.sample_count = static_cast<std::uint64_t>(count);
    metric.histogram.sample_sum = values[bounds.size() + 1];
  }
  return metric;
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
  MutexLock lock(&mutex_);
  auto family = std::find_if(families_.begin(), families_.end(),
                             [&](const Family& known) { return known.name == name; });
  if (family == families_.end()) {
    family = families_.insert(families_.end(), {name, help, type, {}, {}});
  }
  const auto known = std::find_if(family->series.begin(), family->series.end(),
                                  [&](const Series& other) { return other.labels == labels; });
  if (known != family->series.end()) return known->first;
  const std::size_t size = bounds.size() + more;
  family->series.push_back(
      {.labels = labels, .bounds = bounds, .first = TakeCells(size), .size = size});
  return family->series.back().first;
}

std::size_t ShardedMetrics::TakeCells(std::size_t size) {
  std::vector<std::size_t>& returned = returned_[size];
  if (returned.empty()) return std::exchange(cells_, cells_ + size);
  const std::size_t first = returned.back();
  returned.pop_back();
  return first;
}

std::vector<double> ShardedMetrics::ReturnCells(const Series& series) {
  std::vector<double> values(series.size);
  for (std::size_t i = 0; i < series.size; ++i) {
    const std::size_t cell = series.first + i;
    values[i] = Sum(cell);
    // Nobody counts with these cells any more, so their threads write nothing to them now.
    for (const auto& shard : shards_) {
      if (cell < shard->size) shard->cells[cell].store(0, std::memory_order_relaxed);
    }
  }
  returned_[series.size].push_back(series.first);
  return values;
}

void ShardedMetrics::Retire(const prometheus::Labels& labels, const prometheus::Labels& instead) {
  MutexLock lock(&mutex_);
  bool counted = false;
  for (Family& family : families_) {
    const auto ended =
        std::stable_partition(family.series.begin(), family.series.end(),
                              [&](const Series& series) { return !HasAll(series.labels, labels); });
    for (auto series = ended; series != family.series.end(); ++series) {
      const std::vector<double> values = ReturnCells(*series);
      if (std::all_of(values.begin(), values.end(), [](double value) { return value == 0; })) {
        continue;
      }
      counted = true;
      AddTo(With(series->labels, instead), series->bounds, values, instead, &family.retired);
    }
    family.series.erase(ended, family.series.end());
  }
  if (!counted) return;
  for (Family& family : families_) {
    for (Retired& retired : family.retired) retired.labels = With(retired.labels, instead);
  }
}

void ShardedMetrics::AddTo(const prometheus::Labels& labels, std::span<const double> bounds,
                           const std::vector<double>& values, const prometheus::Labels& instead,
                           std::vector<Retired>* retired) {
  auto sum = std::find_if(retired->begin(), retired->end(), [&](const Retired& known) {
    return With(known.labels, instead) == labels;
  });
  if (sum == retired->end()) {
    retired->push_back({labels, bounds, values});
    return;
  }
  std::transform(values.begin(), values.end(), sum->values.begin(), sum->values.begin(),
                 std::plus<>());
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
  double sum = 0;
  for (const auto& shard : shards_) {
    if (cell < shard->size) sum += shard->cells[cell].load(std::memory_order_relaxed);
  }
  return sum;
}

double ShardedMetrics::Total(const std::string& name, const prometheus::Labels& labels) const {
  MutexLock lock(&mutex_);
  double total = 0;
  for (const Family& family : families_) {
    if (family.name != name) continue;
    for (const Series& series : family.series) {
      if (HasAll(series.labels, labels)) total += Sum(series.first + series.size - 1);
    }
    for (const Retired& retired : family.retired) {
      if (HasAll(retired.labels, labels)) total += retired.values.back();
    }
  }
  return total;
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
    if (family.series.empty() && family.retired.empty()) continue;
    prometheus::MetricFamily& out = collected.emplace_back();
    out.name = family.name;
    out.help = family.help;
    out.type = family.type;
    for (const Series& series : family.series) {
      out.metric.push_back(Metric(family.type, series.labels, series.bounds, &sums[series.first]));
    }
    for (const Retired& retired : family.retired) {
      out.metric.push_back(
          Metric(family.type, retired.labels, retired.bounds, retired.values.data()));
    }
  }
  return collected;
}

}  // namespace hellocnn::server
