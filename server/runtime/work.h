// What the workers of a pool do besides handling events.
#ifndef HELLOCNN_SERVER_RUNTIME_WORK_H_
#define HELLOCNN_SERVER_RUNTIME_WORK_H_

#include "absl/time/time.h"
#include "base/clock.h"

namespace hellocnn::server {

// Work that becomes due. A pool asks for it and runs it; whoever adds work calls
// WorkerPool::WorkAdded. Thread-safe, but each worker has one piece at a time.
class Work {
 public:
  // What Take has found.
  struct Taken {
    bool found = false;     // Run must follow
    bool reported = false;  // there was something else to do than to run, and it is done
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

  // Tells that `worker` was busy for so long, and not waiting for events, since the last call. On
  // the worker's thread.
  virtual void OnBusy(int worker, absl::Duration busy) = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RUNTIME_WORK_H_
