// Between the thread that records and the one that collects: tallies by interval, handed over
// whole.
#ifndef HELLOCNN_LOADGEN_CORE_LEDGER_H_
#define HELLOCNN_LOADGEN_CORE_LEDGER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "loadgen/core/tally.h"

namespace hellocnn::load {

// Requests that ended in one interval.
struct Page {
  std::int64_t interval;  // counted from the end of the warm-up; before it < 0
  Tally warm_up;          // those sent in the warm-up
  Tally measured;

  bool empty() const { return warm_up.requests() == 0 && measured.requests() == 0; }
};

// One thread records, one other collects. The lock is taken once an interval, not for each request.
class Ledger {
 public:
  Ledger(Nanos warm_up, Nanos interval);

  // The recording thread's. Time does not go back.
  void Record(const Sample& sample, bool measured, const Verdict& verdict);
  // Hands over the interval before the one of `now`, if that has not been done yet.
  void Advance(Nanos now);
  // Hands over what there is. Nothing may be recorded after it.
  void Close();

  // The collecting thread's: the pages since the last time, in order. Give them back with Recycle.
  std::vector<std::unique_ptr<Page>> Collect();
  void Recycle(std::vector<std::unique_ptr<Page>> pages);

 private:
  std::int64_t IntervalOf(Nanos at) const;
  void HandOver();

  const Nanos warm_up_;
  const Nanos interval_;
  std::unique_ptr<Page> page_;  // of the recording thread
  Mutex mutex_;
  std::vector<std::unique_ptr<Page>> full_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Page>> empty_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_LEDGER_H_
