// The events that workers handle while there is nothing to compute.
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

  // Blocks until there is an event, which the caller must pass to Handle, or another result.
  // Does not block if `until` has passed.
  virtual Got Wait(Instant until, Event* event) = 0;
  virtual void Handle(const Event& event) = 0;
  // Takes an event that the process itself has made, without a look at the outside. A thread that
  // has called Wait before, and then makes an event, must call this or Wait before it sleeps:
  // nobody is woken for that event. Returns false if there is none.
  virtual bool TakeReady(Event* /*event*/) { return false; }
  // Wakes one current or future call of Wait, which then returns kNothing. Several calls may count
  // as one until a call of Wait has returned.
  virtual void Wake() = 0;
  // Lets no more events in. Wait returns kEnd once all events have been given out. Idempotent.
  virtual void Close() = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RUNTIME_EVENT_QUEUE_H_
