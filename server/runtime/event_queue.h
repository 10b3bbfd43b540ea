// What workers do while there is nothing to compute.
#ifndef HELLOCNN_SERVER_RUNTIME_EVENT_QUEUE_H_
#define HELLOCNN_SERVER_RUNTIME_EVENT_QUEUE_H_

#include "base/clock.h"

namespace hellocnn::server {

// Events, each to be handled by the worker that got it. Handling one must not block; it may submit
// jobs. Thread-safe.
class EventQueue {
 public:
  enum class Got {
    kEvent,
    kNothing,  // `until` has come, or Wake was called
    kEnd,      // closed, and every event has been given out
  };
  struct Event {
    void* tag = nullptr;
    bool ok = false;
  };

  virtual ~EventQueue() = default;

  // Blocks until there is an event, which the caller must pass to Handle, or one of the others.
  // Does not block if `until` has passed.
  virtual Got Wait(Instant until, Event* event) = 0;
  virtual void Handle(const Event& event) = 0;
  // Lets one Wait, of now or the next one, return kNothing. Several calls may count as one as long
  // as none of those that wait has returned.
  virtual void Wake() = 0;
  // Idempotent.
  virtual void Close() = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RUNTIME_EVENT_QUEUE_H_
