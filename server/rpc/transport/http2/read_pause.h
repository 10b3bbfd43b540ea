// Slows down a peer whose calls are rejected over and over: for a moment, nothing is received from
// it, and flow control makes it wait.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_READ_PAUSE_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_READ_PAUSE_H_

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "base/clock.h"

namespace hellocnn::server {

// To receive a call and reject it takes about as long as to compute it, if it has many images. A
// client with more calls in flight than the server has room for sends the next one at once, so it
// would take half of the server for nothing.
//
// Each rejection begins a pause. If the first call after a pause is rejected again, the next pause
// is twice as long, up to kMost. So a pause is at most about twice as long as it takes until there
// is room. Once everything was received and taken, the next pause is the shortest again.
//
// Thread-compatible.
class ReadPause {
 public:
  static constexpr absl::Duration kLeast = absl::Milliseconds(1);
  static constexpr absl::Duration kMost = absl::Milliseconds(8);

  // Returns whether something may be received at `now`. Ends a pause whose time has passed.
  bool IsOver(Instant now) {
    if (now < until_) return false;
    if (std::exchange(until_, Instant::InfinitePast()) != Instant::InfinitePast()) {
      taken_ = rejected_ = false;
      is_first_ = true;
    }
    return true;
  }
  // Returns when the pause ends: InfinitePast if there is none.
  Instant until() const { return until_; }

  // A call was taken or rejected.
  void OnTaken() {
    is_first_ = false;
    taken_ = true;
  }
  void OnRejected(Instant now) {
    if (is_first_) length_ = std::min(2 * length_, kMost);
    is_first_ = false;
    rejected_ = true;
    until_ = now + length_;
  }
  // Everything that the peer has sent was received.
  void OnAllReceived() {
    if (taken_ && !rejected_) length_ = kLeast;
  }

 private:
  absl::Duration length_ = kLeast;
  Instant until_ = Instant::InfinitePast();
  bool is_first_ = false;  // the next call is the first after a pause
  // Calls since the last pause.
  bool taken_ = false;
  bool rejected_ = false;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_READ_PAUSE_H_
