// Decides what a stream of requests and responses does next. It is a state machine without gRPC,
// locks or clocks.
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
// - At most kMaxInFlight requests have been read without their responses being written. At the
//   limit, the session stops reading, and flow control slows the client down. This limits the
//   memory of a client that does not read responses.
// - Responses are written in the order in which they become ready, or, if the protocol wants that,
//   in the order of their requests.
// - A draining stream reads only while jobs are being computed. Otherwise a busy client could keep
//   it open forever. It then ends with UNAVAILABLE.
// - Bytes that are not a valid request end the stream after all earlier responses are written.
// - When the client is gone, nothing more is written, and waiting jobs are cancelled.
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
    // Cancel the jobs of these requests. They still end with OnReady.
    Slots cancel;
    // Discard these responses, because the client is gone. Their slots are free.
    Slots discard;
    // Start reading a message for this slot, and then call OnReadStarted.
    std::optional<int> read;
    // Start writing the response of this slot. OnWritten follows when it has ended.
    std::optional<int> write;
    // End the stream with this status. Nothing is in flight.
    std::optional<absl::Status> finish;
  };

  enum class Order { kAsReady, kOfRequests };
  explicit StreamSession(Order order = Order::kAsReady) : order_(order) {}

  // Opens the stream, which may be drained from now on. Returns the slot for the first read. The
  // stream does not finish before Reject or OnReadStarted is called.
  int Open();
  // Ends the stream before its first read, which must not start. The owner finishes the stream.
  void Reject();

  // Must be called once for each planned read, after it has been started. The read may have ended
  // already.
  Steps OnReadStarted();

  // OnRead must be called when a message has been read into the slot of the last read. If
  // `accepted`, the owner ends the message with OnMalformed or OnReady. Otherwise the stream has
  // finished in the meantime. The end of the stream is then the response to the message, and there
  // are no steps.
  struct Message {
    bool accepted;
    Steps steps;
  };
  Message OnRead();
  // Must be called when the last read has found no message: the client has half-closed the stream
  // or is gone.
  Steps OnReadEnded();

  // Must be called when the message in `slot` is not a valid request, so it gets no response. The
  // stream ends with this rejection, unless an earlier message was malformed too. The slot is free.
  Steps OnMalformed(int slot, const Rejection& rejection);
  // Returns whether the request in `slot` may be computed. If the result is kYes, the request
  // counts as a job until OnReady.
  enum class MayCompute { kYes, kDraining, kGone };
  MayCompute StartComputing(int slot);
  // Must be called when the response of the request in `slot` is ready, whether or not the request
  // was computed.
  Steps OnReady(int slot);
  // Must be called when the last write has ended. If not `ok`, the client is gone. The slot is
  // free.
  Steps OnWritten(bool ok);

  // Must be called when the client has cancelled the stream, or its deadline has passed.
  Steps OnCancelled();
  // Must be called when the server accepts no more requests. Requests that are read from now on may
  // not be computed.
  Steps OnDrain();

  // Returns true if the client is gone.
  bool gone() const { return gone_; }
  // Returns the slots of the requests in flight and of the outstanding read.
  const Slots& used() const { return used_; }
  // Returns true if no request is in flight.
  bool idle() const { return in_flight_ == 0; }
  // Returns why the stream ends before the client has half-closed it. Unused if the client is gone.
  const Rejection& end() const { return end_; }

 private:
  absl::Status EndStatus() const;
  // Plans a read if the rules allow one.
  void PlanRead(Steps* steps);
  // Plans a write or the finish if the rules allow it. Must be the last step to be planned.
  void PlanRest(Steps* steps);
  void Break(Steps* steps);
  // Lets those be written that are ready and have no request before them that is not.
  void ReleaseEarly();
  void Free(int slot);

  Slots used_;         // of the outstanding read and of requests in flight
  Slots computing_;    // of jobs
  int in_flight_ = 0;  // requests that are read and whose responses are not written or discarded
  // Before OnReadStarted is called for a read, it can end on another thread, and the next read can
  // be planned. So the reads that start are counted separately from the outstanding read.
  int starting_reads_ = 0;
  std::optional<int> reading_;
  std::optional<int> writing_;
  // Slots in the order in which they were added.
  class Ring {
   public:
    bool empty() const { return count_ == 0; }
    int front() const { return slots_[static_cast<std::size_t>(first_)]; }
    void Push(int slot) {
      slots_[static_cast<std::size_t>((first_ + count_) % kMaxInFlight)] =
          static_cast<std::uint8_t>(slot);
      ++count_;
    }
    int Pop() {
      const int slot = front();
      first_ = (first_ + 1) % kMaxInFlight;
      --count_;
      return slot;
    }
    // Removes a slot that is in the ring.
    void Remove(int slot) {
      for (int left = count_; left > 0; --left) {
        const int one = Pop();
        if (one != slot) Push(one);
      }
    }

   private:
    std::array<std::uint8_t, kMaxInFlight> slots_;
    int first_ = 0;
    int count_ = 0;
  };

  const Order order_;
  Ring ready_;  // the responses that may be written
  // With Order::kOfRequests: the requests whose responses may not be written yet, and those of them
  // that are ready.
  Ring waiting_;
  Slots early_;

  bool reading_ended_ = false;  // no more messages are to be read
  bool malformed_ = false;      // reading ended because of a message that is not a valid request
  Rejection end_ = Rejection::Draining();
  bool draining_ = false;
  bool gone_ = false;
  bool finished_ = false;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_STREAM_SESSION_H_
