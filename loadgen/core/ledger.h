// Passes tallies from the thread that records to the one that collects, one whole interval at a
// time.
#ifndef HELLOCNN_LOADGEN_CORE_LEDGER_H_
#define HELLOCNN_LOADGEN_CORE_LEDGER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "loadgen/core/tally.h"

namespace hellocnn::load {

// The requests that ended in one interval.
struct Page {
  std::int64_t interval;  // counted from the end of the warm-up; negative before it
  Tally warm_up;          // requests that were sent in the warm-up
  Tally measured;

  bool empty() const { return warm_up.requests() == 0 && measured.requests() == 0; }
};

// One thread records, and one other collects. The lock is taken once an interval, not for each
// request.
class Ledger {
 public:
  Ledger(Nanos warm_up, Nanos interval);

  // Records a request. For the recording thread only, as are Advance and Finish. Time never goes
  // back.
  void Record(const Sample& sample, bool measured, const Verdict& verdict);
  // Hands over the current page if its interval ended before `now`.
  void Advance(Nanos now);
  // Hands over the last page. Nothing may be recorded afterwards.
  void Finish();

  // Returns the pages since the last call, in order. For the collecting thread only. The caller
  // gives the pages back with Recycle.
  std::vector<std::unique_ptr<Page>> Collect();
  void Recycle(std::vector<std::unique_ptr<Page>> pages);

 private:
  std::int64_t IntervalOf(Nanos at) const;
  void HandOver();

  const Nanos warm_up_;
  const Nanos interval_;
  std::unique_ptr<Page> page_;  // used by the recording thread only
  Mutex mutex_;
  std::vector<std::unique_ptr<Page>> full_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<Page>> empty_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_LEDGER_H_
