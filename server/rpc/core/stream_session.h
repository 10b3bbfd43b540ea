// What a stream of requests and responses does next, as a state machine without gRPC, lock or
// clock.
#ifndef HELLOCNN_SERVER_RPC_CORE_STREAM_SESSION_H_
#define HELLOCNN_SERVER_RPC_CORE_STREAM_SESSION_H_

#include <array>
#include <bit>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "server/rpc/core/rejection.h"

namespace hellocnn::server {

// The owner tells the session what has happened and takes the steps that the session returns. Each
// request has a slot, a number below kMaxInFlight, from the moment when its read starts until its
// response is written or discarded.
//
// The rules that the session keeps:
// - At most one read and one write are outstanding.
// - At most kMaxInFlight requests are read and not yet written. At the bound it stops reading, and
//   flow control holds the client back. So a client that does not read responses cannot take more
//   memory than that.
// - Responses are written in the order in which they become ready.
// - A draining stream reads only while jobs are being computed: a busy client could keep it open
//   for ever otherwise. It then ends with UNAVAILABLE.
// - Bytes that are no request end the stream after all earlier responses are written.
// - When the client is gone, nothing more is written. Jobs that wait are to be cancelled.
// - Finish is returned exactly once, when nothing is in flight and no read is about to start. No
//   read and no write is returned after it. A read may still be outstanding then.
//
// Thread-compatible: the owner calls it under a lock, and takes the steps without the lock.
class StreamSession {
 public:
  static constexpr int kMaxInFlight = 64;

  // A set of slots.
  class Slots {
   public:
    bool empty() const { return bits_ == 0; }
    bool contains(int slot) const { return (bits_ >> slot & 1) != 0; }
    void insert(int slot) { bits_ |= std::uint64_t{1} << slot; }
    void erase(int slot) { bits_ &= ~(std::uint64_t{1} << slot); }
    // The lowest slot that is not in the set, which must not be full.
    int LowestMissing() const { return std::countr_one(bits_); }
    // Calls `visit` with each slot of the set.
    template <typename Visit>
    void ForEach(Visit visit) const {
      for (std::uint64_t left = bits_; left != 0; left &= left - 1) visit(std::countr_zero(left));
    }

   private:
    std::uint64_t bits_ = 0;
  };
  static_assert(kMaxInFlight <= 64);

  // What the owner must do, in this order, after one event.
  struct Steps {
    // The jobs of these requests are not needed any more. They still end with OnReady.
    Slots cancel;
    // These responses will not be written: the client is gone. Their slots are free.
    Slots discard;
    // Start reading a message for this slot, and then call OnReadStarted.
    std::optional<int> read;
    // Start writing the response of this slot. OnWritten follows when it is done.
    std::optional<int> write;
    // End the stream with this status. Nothing is in flight.
    std::optional<absl::Status> finish;
  };

  // The stream is there, and may be told to drain from now on. Returns the slot for the first read.
  // The stream does not finish before Reject or OnReadStarted is called.
  int Open();
  // The stream ends before its first read, which must not start. The owner finishes it.
  void Reject();

  // A read that was returned has been started. Called once for each; it may have ended already.
  Steps OnReadStarted();

  // A message has been read into the slot of the last read. If `accepted`, the owner ends it with
  // OnMalformed or OnReady. Otherwise the stream has finished in the meantime: the end of the
  // stream is the response to the message, and there are no steps.
  struct Message {
    bool accepted;
    Steps steps;
  };
  Message OnRead();
  // The last read has found no message: the client has half-closed the stream, or is gone.
  Steps OnReadEnded();

  // The message in `slot` is no request, so there is nothing to respond to. The stream ends with
  // this rejection, unless an earlier message was malformed too. The slot is free.
  Steps OnMalformed(int slot, const Rejection& rejection);
  // Whether the request in `slot` may be computed. If the result is kYes, it counts as a job until
  // OnReady.
  enum class MayCompute { kYes, kDraining, kGone };
  MayCompute StartComputing(int slot);
  // The response of the request in `slot` is ready, computed or not.
  Steps OnReady(int slot);
  // The last write has ended. If not `ok`, the client is gone. Its slot is free.
  Steps OnWritten(bool ok);

  // The client has cancelled the stream, or its deadline has passed.
  Steps OnCancelled();
  // The server accepts no more requests. Those that are read from now on may not be computed.
  Steps OnDrain();

  // The client is gone.
  bool gone() const { return gone_; }
  // Slots of requests in flight, and of the outstanding read.
  const Slots& used() const { return used_; }
  // No request is in flight.
  bool idle() const { return in_flight_ == 0; }
  // Why the stream ends before the client has half-closed it, if the client is there to be told.
  const Rejection& end() const { return end_; }

 private:
  absl::Status EndStatus() const;
  // Plans a read if the rules allow one.
  void PlanRead(Steps* steps);
  // Plans a write or the finish if the rules allow it. The last step to plan.
  void PlanRest(Steps* steps);
  void Break(Steps* steps);
  void Free(int slot);

  Slots used_;         // read, in flight, or both
  Slots computing_;    // jobs
  int in_flight_ = 0;  // requests that are read, and whose responses are not written or discarded
  // A read can end on another thread before OnReadStarted is called for it, and the next one be
  // planned. So reads that start are counted apart from the one that is outstanding.
  int starting_reads_ = 0;
  std::optional<int> reading_;
  std::optional<int> writing_;
  // Responses that are ready, as a ring: the oldest is at first_ready_.
  std::array<std::uint8_t, kMaxInFlight> ready_;
  int first_ready_ = 0;
  int ready_count_ = 0;

  bool reading_ended_ = false;  // nothing more is to be read
  bool malformed_ = false;      // because of a message that was no request
  Rejection end_ = Rejection::Draining();
  bool draining_ = false;
  bool gone_ = false;
  bool finished_ = false;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_STREAM_SESSION_H_
