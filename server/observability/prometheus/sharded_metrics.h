// Counters, gauges and histograms for many threads. Counting takes no lock, and no two threads
// write to the same cache line.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_SHARDED_METRICS_H_
#define HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_SHARDED_METRICS_H_

#include <prometheus/labels.h>
#include <prometheus/metric_family.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
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
// something that was added since: that takes a lock and allocates, and nothing else does. Series
// that are added later use the numbers of series that were retired, so copies do not grow for ever.
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

  // Ends the counters and histograms that have all of `labels`, which no thread counts with any
  // more. Their handles are invalid after that. What they have counted is not lost: it is added to
  // the family's retired series, which have the values of `instead` for the labels that `instead`
  // names. If anything had been counted, all retired series get these values, also the earlier
  // ones.
  void Retire(const prometheus::Labels& labels, const prometheus::Labels& instead)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns the sum of the counters or gauges of a family that have all of `labels`, the retired
  // ones included; of histograms, the sum of all that they observed. Returns 0 if there is none.
  double Total(const std::string& name, const prometheus::Labels& labels = {}) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Returns all families that have a series, in the order in which they were added.
  std::vector<prometheus::MetricFamily> Collect() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Cell = std::atomic<double>;
  struct Series {
    prometheus::Labels labels;
    std::span<const double> bounds;  // of a histogram
    std::size_t first = 0;           // cell
    std::size_t size = 0;            // cells
  };
  // The sum of series that have ended.
  struct Retired {
    prometheus::Labels labels;
    std::span<const double> bounds;
    std::vector<double> values;  // one for each cell
  };
  struct Family {
    std::string name;
    std::string help;
    prometheus::MetricType type;
    std::vector<Series> series;
    std::vector<Retired> retired;
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
  // Returns the first of `size` cells, which are 0.
  std::size_t TakeCells(std::size_t size) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Sets the cells of a series to 0 and lets another one have them. Returns what was in them.
  std::vector<double> ReturnCells(const Series& series) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Adds the values of a series that has ended to the one of `retired` whose labels are equal once
  // both have the values of `instead`, or else adds one.
  static void AddTo(const prometheus::Labels& labels, std::span<const double> bounds,
                    const std::vector<double>& values, const prometheus::Labels& instead,
                    std::vector<Retired>* retired);
  double Sum(std::size_t cell) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::uint64_t id_;  // unique in this process for all time; never 0
  mutable Mutex mutex_;
  std::vector<Family> families_ ABSL_GUARDED_BY(mutex_);
  std::size_t cells_ ABSL_GUARDED_BY(mutex_) = 0;  // of all series together, and those returned
  // The first cells of series that have ended, by their number of cells.
  std::map<std::size_t, std::vector<std::size_t>> returned_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Shard>> shards_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_PROMETHEUS_SHARDED_METRICS_H_
