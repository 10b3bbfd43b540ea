// Counters, gauges and histograms for many threads. Counting takes no lock, and no two threads
// write to the same cache line.
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

// Each thread that counts has a copy of every number, which only this thread writes. A scrape adds
// the copies up. So a scrape sees each number as it was at some time during the scrape, and never
// less than an earlier scrape has seen. A copy has 8 bytes for each number, and stays when its
// thread has ended.
//
// Series may be added while other threads count. A thread's copy grows when the thread first counts
// something that was added since: that takes a lock and allocates, and nothing else does.
//
// Thread-safe. Must outlive the handles that it gives out.
class ShardedMetrics {
 public:
  // A counter, or a gauge that goes up and down.
  class Counter {
   public:
    Counter() = default;
    void Increment(double by = 1) const { Add(metrics_->Mine(cell_)[cell_], by); }
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

  // Add a series, or return the handle of the series with the same name and labels. All series of
  // a name form a family, which has the help, type and bounds of its first series.
  Counter AddCounter(const std::string& name, const std::string& help,
                     const prometheus::Labels& labels = {}) ABSL_LOCKS_EXCLUDED(mutex_);
  // For a number that is never below 0. If a scrape sees one thread's step down but not another
  // thread's step up before it, the sum may be below 0; the scrape shows 0 then.
  Counter AddGauge(const std::string& name, const std::string& help,
                   const prometheus::Labels& labels = {}) ABSL_LOCKS_EXCLUDED(mutex_);
  // `bounds` are upper bounds in ascending order, each included. They must outlive this.
  Histogram AddHistogram(const std::string& name, const std::string& help,
                         std::span<const double> bounds, const prometheus::Labels& labels = {})
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns all families that have a series, in the order in which they were added.
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
    std::unique_ptr<Cell[]> cells;  // replaced by its thread, under mutex_
    std::size_t size = 0;
  };

  // Each cell has one writer, so this needs no atomic read-modify-write.
  static void Add(Cell& cell, double by) {
    cell.store(cell.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  // Returns the series' first cell. It has `bounds.size()` + `more` cells.
  std::size_t AddSeries(const std::string& name, const std::string& help,
                        prometheus::MetricType type, const prometheus::Labels& labels,
                        std::span<const double> bounds, std::size_t more)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns the cells of the calling thread, at least up to the one numbered `last`.
  Cell* Mine(std::size_t last) {
    thread_local struct {
      std::uint64_t owner = 0;
      Cell* cells = nullptr;
      std::size_t size = 0;
    } mine;
    if (mine.owner != id_ || last >= mine.size) {
      const Shard& shard = FindOrGrowShard();
      mine = {id_, shard.cells.get(), shard.size};
    }
    return mine.cells;
  }
  // Returns the shard of the calling thread, with cells for all series that there are now.
  const Shard& FindOrGrowShard() ABSL_LOCKS_EXCLUDED(mutex_);
  double Sum(std::size_t cell) const ABSL_LOCKS_EXCLUDED(mutex_);

  const std::uint64_t id_;  // unique in this process for all time; never 0
  mutable Mutex mutex_;
  std::vector<Family> families_ ABSL_GUARDED_BY(mutex_);
  std::size_t cells_ ABSL_GUARDED_BY(mutex_) = 0;  // of all series together
  std::vector<std::unique_ptr<Shard>> shards_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_SHARDED_METRICS_H_
