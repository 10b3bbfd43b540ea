// The work that the workers of a pool do besides handling events.
#ifndef HELLOCNN_SERVER_RUNTIME_WORK_H_
#define HELLOCNN_SERVER_RUNTIME_WORK_H_

#include "absl/time/time.h"
#include "base/clock.h"

namespace hellocnn::server {

// Work that becomes due. A pool takes it and runs it. After adding work, WorkerPool::WorkAdded must
// be called. Thread-safe, but each worker has only one piece of work at a time.
class Work {
 public:
  // The result of Take.
  struct Taken {
    bool found = false;     // Run must follow
    bool reported = false;  // Take has done something else, and there may be nothing to run
    bool more = false;      // more work is left, due now or later
    // How long Run will probably take. Infinite if that is not known.
    absl::Duration expected;
  };

  virtual ~Work() = default;

  // Returns when there is something to take: InfinitePast, or an instant that has passed, if there
  // is now; InfiniteFuture if there will be nothing unless it is added. Must not block: workers ask
  // after each event.
  virtual Instant DueTime() const = 0;

  // Takes a piece of work for `worker`, on its thread. Must not block for long.
  virtual Taken Take(int worker) = 0;

  // Does what the last Take of `worker` has found, on its thread. Blocks for as long as it takes.
  virtual void Run(int worker) = 0;

  // Reports that `worker` was busy for `busy` since the last call, without the time that it waited
  // for events. Called on the worker's thread.
  virtual void OnBusy(int worker, absl::Duration busy) = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RUNTIME_WORK_H_
