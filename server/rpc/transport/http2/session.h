// A connection: what is received goes through nghttp2 to its streams, and back.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_SESSION_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_SESSION_H_

#include <nghttp2/nghttp2.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/token_bucket.h"
#include "server/rpc/transport/http2/ended_streams.h"
#include "server/rpc/transport/http2/frame_walker.h"
#include "server/rpc/transport/http2/http2_call.h"
#include "server/rpc/transport/http2/http2_core.h"
#include "server/rpc/transport/http2/http2_events.h"
#include "server/rpc/transport/http2/memory.h"
#include "server/rpc/transport/http2/read_pause.h"
#include "server/rpc/transport/http2/socket.h"
#include "server/rpc/transport/http2/stream.h"
#include "server/rpc/transport/http2/timer_heap.h"

namespace hellocnn::server {

// Each run of the task receives a part of what the peer has sent, applies what calls have noted,
// minds the timers, and sends what there is to send, in this order. While output is stuck, nothing
// is received.
class Session final : public Task {
 public:
  // Begins a session on `socket`, whose peer has the address `peer`. The core counts the connection
  // already, and outlives the session. The connection ends after `max_age`, politely.
  static void Start(Http2Core* core, std::unique_ptr<Socket> socket, std::string peer,
                    absl::Duration max_age);
  // Use Start.
  Session(Http2Core* core, std::unique_ptr<Socket> socket, std::string peer,
          absl::Duration max_age);
  ~Session() override;

  // The following functions are thread-safe.

  // Adds a note of `call`, which one of the calls of this session must be.
  void Post(Http2Call* call, Http2Call::Note note) ABSL_LOCKS_EXCLUDED(inbox_mutex_);
  // Tells the peer to open no more calls here. What it has sent until it knows is served; then the
  // connection ends.
  void GoAway();
  // Ends the connection and all of its calls.
  void Abort();
  const std::string& peer() const { return peer_; }
  // Returns Rpc::CertificateNames() of all calls. Constant once there is one.
  const std::vector<std::string>& certificate_names() const { return certificate_names_; }
  // Gives back the memory of calls that wait for the peer. Tells the core when that is done.
  void Shed();
  // Returns the session that the calling thread runs, or null.
  static const Session* Current();
  const std::shared_ptr<MemoryAccount>& account() const { return account_; }

  // The following functions are for streams and calls, while the session runs.

  std::shared_ptr<Session> self() { return std::static_pointer_cast<Session>(shared_from_this()); }
  Http2Core* core() const { return core_; }
  nghttp2_session* h2() const { return h2_; }
  Instant now() const { return now_; }
  // Returns Rpc::caller() of all calls. Must be called only once there is one: TLS then knows who
  // the peer is.
  std::uint64_t caller();
  void SetTimer(Stream* stream, Instant at) { timers_.Set(stream, at); }
  // Lets the peer send as many bytes more on the stream.
  void Consume(std::int32_t stream, std::size_t bytes);
  // A stream has sent the last part of a message.
  void OnFilled(std::int32_t stream) {
    filled_.push_back(stream);
    OnResponse();
  }
  // A response was sent, so the peer does something of use.
  void OnResponse();
  // A call that could have waited was taken, or was rejected because there is no room.
  void OnTaken() { pause_.OnTaken(); }
  void OnRejected() { pause_.OnRejected(now_); }
  // The time of a call was up. The peer may reset its stream, which is no flood.
  void OnGivenUp();

 private:
  friend struct SessionCallbacks;

  // How far the peer is with a GOAWAY: it was told, it has answered, it opens no more streams.
  enum class Going { kNo, kAnnounced, kAnswered, kGone };

  void Run(std::uint32_t io) override;
  // Returns whether there is something to receive, and room for what comes of it.
  bool wants_to_receive() const { return readable_ && unsent_.empty(); }
  void Receive(Scratch* scratch);
  // Gives received bytes to nghttp2.
  void Take(std::span<const std::uint8_t> bytes);
  void OnFrameHeader(const FrameHeader& frame);
  void OnFrame(const nghttp2_frame& frame);
  void OnSent(const nghttp2_frame& frame);
  void ApplyNotes() ABSL_LOCKS_EXCLUDED(inbox_mutex_);
  void CheckTimers();
  void Send(Scratch* scratch);
  // Takes frames from nghttp2 until there are enough for one system call, or no more.
  void Collect(std::string* to);
  Instant NextTimer() const;
  // Takes tokens for work that is of no use. Closes the connection if there are none left.
  void Pay(double tokens);
  // Ends the connection for `limit`, with a GOAWAY that has `error`, once the peer's part of this
  // run is done.
  void CloseFor(Limit limit, std::uint32_t error);
  // Ends the connection. Must not be called by a function that nghttp2 calls.
  void Close();
  // Ends it once everything was sent: as soon as the peer has ended its side, after `patience`, or
  // if it sends much more. The last frames, such as a GOAWAY, may not have arrived, and the system
  // throws them away if the connection is closed while there is something that was not received.
  void BeginLinger(absl::Duration patience);
  // Receives what the peer still sends, and ignores it.
  void Linger(Scratch* scratch);
  void Announce();
  void OnAnswer();
  void SayGone();
  // Tells the core, once, that no call will come from here any more.
  void EndSource();

  Stream* Find(std::int32_t id) const;
  // Opens a stream, or refuses it.
  void OpenStream(std::int32_t id);
  void CloseStream(Stream* stream);
  void CloseStreams();

  Http2Core* const core_;
  std::unique_ptr<Socket> socket_;  // null once it is closed
  const std::string peer_;
  nghttp2_session* h2_ = nullptr;
  const std::shared_ptr<MemoryAccount> account_;

  Mutex inbox_mutex_;
  Http2Call* inbox_ ABSL_GUARDED_BY(inbox_mutex_) = nullptr;  // the last call that has noted
  std::atomic<bool> go_away_{false};
  std::atomic<bool> abort_{false};
  std::atomic<bool> shed_{false};

  // The following members belong to the thread that runs the session.
  Instant now_;
  FrameWalker walker_;
  EndedStreams ended_streams_;
  TokenBucket tokens_;
  TimerHeap<Stream> timers_;
  absl::flat_hash_set<Stream*> streams_;
  std::vector<std::int32_t> filled_;
  std::vector<std::int32_t> late_;  // streams that go on after their reset
  std::string unsent_;
  std::size_t unsent_from_ = 0;
  bool readable_ = true;
  ReadPause pause_;
  bool hung_up_ = false;    // the peer will send nothing more
  bool closing_ = false;    // closes when what is there was sent
  bool silent_ = false;     // the peer gives no sign of life
  bool lingering_ = false;  // see BeginLinger
  std::size_t lingered_bytes_ = 0;
  bool acknowledged_ = false;  // SETTINGS
  std::size_t continuations_ = 0;
  Going going_ = Going::kNo;
  bool is_source_ = true;  // the core counts it as one
  std::optional<std::uint64_t> caller_;
  std::vector<std::string> certificate_names_;  // set with caller_

  // InfiniteFuture where nothing is due.
  Instant handshake_deadline_;
  Instant age_deadline_ = Instant::InfiniteFuture();
  Instant going_deadline_ = Instant::InfiniteFuture();  // for the answer to the announcement
  Instant idle_deadline_;
  Instant sweep_at_ = Instant::InfiniteFuture();  // for responses that nobody reads
  Instant keepalive_at_;                          // then a PING is sent, or its answer is overdue
  bool ping_outstanding_ = false;
  Instant send_deadline_ = Instant::InfiniteFuture();
  Instant timer_ = Instant::InfiniteFuture();  // for which events() has a timer
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_SESSION_H_
