// Counters, gauges and histograms that cost the counting thread next to nothing: no lock, no atomic
// operation that other threads could contend for.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_SHARDED_METRICS_H_
#define HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_SHARDED_METRICS_H_

#include <prometheus/labels.h>
#include <prometheus/metric_family.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"

namespace hellocnn::server {

// Each thread that counts has a copy of every number, which it alone writes; a scrape adds them up.
// A copy is a few kB, and stays when its thread has gone. So a scrape sees each number as it was at
// some time during the scrape, and never less than before.
//
// Series are added before the first thread counts; from then on thread-safe. Must outlive the
// handles that it gives out.
class ShardedMetrics {
 public:
  // A counter, or a gauge that goes up and down.
  class Counter {
   public:
    Counter() = default;
    void Increment(double by = 1) const { Add(metrics_->Mine()[cell_], by); }
    void Decrement() const { Increment(-1); }
    double Value() const { return metrics_->Sum(cell_); }

   private:
    friend class ShardedMetrics;
    Counter(ShardedMetrics* metrics, std::size_t cell) : metrics_(metrics), cell_(cell) {}
    ShardedMetrics* metrics_ = nullptr;
    std::size_t cell_ = 0;
  };

  class Histogram {
   public:
    Histogram() = default;
    void Observe(double value) const;
    // So many values in each bucket, the last one for those above every bound, and their sum.
    void ObserveMany(std::span<const int> buckets, double sum) const;

   private:
    friend class ShardedMetrics;
    Histogram(ShardedMetrics* metrics, std::size_t first, std::span<const double> bounds)
        : metrics_(metrics), first_(first), bounds_(bounds) {}
    ShardedMetrics* metrics_ = nullptr;
    std::size_t first_ = 0;  // bounds_.size() + 1 buckets, then the sum
    std::span<const double> bounds_;
  };

  ShardedMetrics();
  ShardedMetrics(const ShardedMetrics&) = delete;
  ShardedMetrics& operator=(const ShardedMetrics&) = delete;

  // Series of one name are one family; `help` is that of the first.
  Counter AddCounter(const std::string& name, const std::string& help,
                     const prometheus::Labels& labels = {});
  // Of what there is 0 or more of. Seen between one thread's step up and another's step down, a sum
  // may be less; 0 is shown then.
  Counter AddGauge(const std::string& name, const std::string& help,
                   const prometheus::Labels& labels = {});
  // `bounds`, upper ones, ascending and each included, must outlive this.
  Histogram AddHistogram(const std::string& name, const std::string& help,
                         std::span<const double> bounds, const prometheus::Labels& labels = {});

  // All families, in the order in which they were added.
  std::vector<prometheus::MetricFamily> Collect() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Cell = std::atomic<double>;
  struct Series {
    std::vector<prometheus::ClientMetric::Label> labels;
    std::size_t first;
    std::span<const double> bounds;  // of a histogram
  };
  struct Family {
    std::string name;
    std::string help;
    prometheus::MetricType type;
    std::vector<Series> series;
  };
  struct Shard {
    std::thread::id thread;
    std::unique_ptr<Cell[]> cells;
  };

  // One writer, so no read-modify-write is needed.
  static void Add(Cell& cell, double by) {
    cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  std::size_t AddSeries(const std::string& name, const std::string& help,
                        prometheus::MetricType type, const prometheus::Labels& labels,
                        std::size_t cells, std::span<const double> bounds);
  // The cells of the calling thread.
  Cell* Mine() {
    thread_local struct {
      std::uint64_t owner = 0;
      Cell* cells = nullptr;
    } mine;
    if (mine.owner != id_) {
      mine.cells = FindOrAddShard();
      mine.owner = id_;
    }
    return mine.cells;
  }
  Cell* FindOrAddShard() ABSL_LOCKS_EXCLUDED(mutex_);
  double Sum(std::size_t cell) const ABSL_LOCKS_EXCLUDED(mutex_);

  const std::uint64_t id_;  // of no other one in this process, before or after; never 0
  std::vector<Family> families_;
  std::size_t cells_ = 0;  // of all series together
  mutable Mutex mutex_;
  std::vector<Shard> shards_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_SHARDED_METRICS_H_
