#include "server/rpc/transport/http2/session.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "server/rpc/transport/caller.h"
#include "server/rpc/transport/http2/session_callbacks.h"

namespace hellocnn::server {
namespace {

// What one system call sends at most, and what a connection keeps of it while it is stuck.
constexpr std::size_t kSendBytes = 64 << 10;
// DATA of so few bytes that do not end a stream are taken for a flood.
constexpr std::size_t kTinyData = 16;
constexpr double kTokensPerError = 10;
constexpr double kTokensPerResponse = 4;
constexpr double kTokensPerReset = 1;
// How long to wait for the answers to the announcement of a GOAWAY. A client on a busy machine may
// need seconds, and whoever has no more time closes the connection.
constexpr absl::Duration kAnnouncement = absl::Seconds(10);
constexpr absl::Duration kSweep = absl::Seconds(5);
// How long a peer may take to end its side, once everything was sent to it, and how long one that
// is told what it did wrong. Nobody may send more than so many bytes meanwhile.
constexpr absl::Duration kLinger = absl::Seconds(5);
constexpr absl::Duration kLingerAfterFault = absl::Seconds(1);
constexpr std::size_t kLingerBytes = 512 << 10;

constexpr std::uint8_t kKeepalive[8] = {'k', 'e', 'e', 'p', 'a', 'l', 'i', 'v'};
constexpr std::uint8_t kGoing[8] = {'g', 'o', 'i', 'n', 'g', 'a', 'w', 'a'};

thread_local const Session* current_session = nullptr;

}  // namespace

const Session* Session::Current() { return current_session; }

void Session::Start(Http2Core* core, std::unique_ptr<Socket> socket, std::string peer,
                    absl::Duration max_age) {
  const int descriptor = socket->descriptor();
  const auto session = std::make_shared<Session>(core, std::move(socket), std::move(peer), max_age);
  core->AddSource();
  core->AddSession(session);
  if (core->going_away()) session->GoAway();
  if (!core->events()->Add(descriptor, session).ok()) session->Abort();
}

Session::Session(Http2Core* core, std::unique_ptr<Socket> socket, std::string peer,
                 absl::Duration max_age)
    : Task(core->events()),
      core_(core),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      h2_(SessionCallbacks::MakeSession(core->limits(), this)),
      account_(std::make_shared<MemoryAccount>(core->memory())),
      now_(Clock::Monotonic()->Now()),
      tokens_(core->limits().flood_burst, core->limits().flood_per_second, now_),
      handshake_deadline_(now_ + core->limits().handshake_timeout),
      idle_deadline_(now_ + core->limits().idle_timeout),
      keepalive_at_(now_ + core->limits().keepalive_interval) {
  if (max_age > absl::ZeroDuration()) age_deadline_ = now_ + max_age;
  account_->Charge(socket_->memory());
}

Session::~Session() { nghttp2_session_del(h2_); }

void Session::Post(Http2Call* call, Http2Call::Note note) {
  if (call->notes_.fetch_or(note, std::memory_order_acq_rel) != 0) return;
  {
    MutexLock lock(&inbox_mutex_);
    call->next_ = inbox_;
    inbox_ = call;
  }
  Schedule();
}

void Session::GoAway() {
  go_away_ = true;
  Schedule();
}

void Session::Abort() {
  abort_ = true;
  Schedule();
}

void Session::Shed() {
  shed_ = true;
  Schedule();
}

void Session::Run(std::uint32_t io) {
  current_session = this;
  const absl::Cleanup reset = [] { current_session = nullptr; };
  now_ = Clock::Monotonic()->Now();
  const absl::Cleanup shed = [this] {
    if (shed_.exchange(false)) core_->OnShed();
  };
  if (socket_ == nullptr) return ApplyNotes();
  if (abort_) {
    ApplyNotes();
    return Close();
  }
  if ((io & EPOLLIN) != 0) readable_ = true;
  if ((io & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) readable_ = hung_up_ = true;
  std::unique_ptr<Scratch> scratch = core_->scratch()->Take();
  if (scratch == nullptr) scratch = std::make_unique<Scratch>();

  if (lingering_) {
    ApplyNotes();
    Linger(scratch.get());
    core_->scratch()->Put(std::move(scratch));
    return;
  }
  if (go_away_ && going_ == Going::kNo) Announce();
  if (shed_) {
    for (Stream* const stream : streams_) stream->Shed();
  }
  if (wants_to_receive() && pause_.IsOver(now_)) Receive(scratch.get());
  // Also if that has ended the connection: a note that came before this run schedules no other.
  ApplyNotes();
  if (socket_ != nullptr) {
    CheckTimers();
    Send(scratch.get());
  }
  core_->scratch()->Put(std::move(scratch));
  if (socket_ == nullptr || lingering_) return;
  if (wants_to_receive() && pause_.IsOver(now_)) Schedule();
  const Instant next = NextTimer();
  if (next < timer_ || timer_ <= now_) {
    timer_ = next;
    events()->SetTimer(this, next);
  }
}

void Session::Receive(Scratch* scratch) {
  std::span<std::uint8_t> in_place;
  if (walker_.in_frames() && walker_.frame().type == kDataFrame && walker_.left() > 0) {
    Stream* const stream = Find(walker_.frame().stream);
    if (stream != nullptr) in_place = stream->Tail();
    in_place = in_place.first(std::min(in_place.size(), walker_.left()));
  }
  const std::span<std::uint8_t> rest = scratch->received;
  const Socket::Result result = socket_->Receive(in_place, rest);
  if (result.state == Socket::Result::State::kEnded) return Close();
  readable_ = hung_up_ || result.more || result.bytes == in_place.size() + rest.size();
  if (!readable_) pause_.OnAllReceived();
  if (result.bytes == 0) return;
  keepalive_at_ = now_ + core_->limits().keepalive_interval;
  ping_outstanding_ = false;
  const std::size_t first = std::min(result.bytes, in_place.size());
  if (first > 0) Take(in_place.first(first));
  if (result.bytes > first) Take(rest.first(result.bytes - first));
}

void Session::Take(std::span<const std::uint8_t> bytes) {
  if (closing_) return;
  walker_.Walk(bytes, [this](const FrameHeader& frame) { OnFrameHeader(frame); });
  if (closing_) return;
  const std::ptrdiff_t taken = nghttp2_session_mem_recv(h2_, bytes.data(), bytes.size());
  // Only now: nghttp2 resets no stream of which it has not heard.
  for (const std::int32_t id : late_) {
    nghttp2_submit_rst_stream(h2_, NGHTTP2_FLAG_NONE, id, NGHTTP2_STREAM_CLOSED);
  }
  late_.clear();
  if (taken == NGHTTP2_ERR_FLOODED) {  // too many acknowledgements wait for the peer to read
    CloseFor(Limit::kFlood, NGHTTP2_ENHANCE_YOUR_CALM);
  } else if (taken < 0) {
    // There may be a GOAWAY to send that says what was wrong.
    core_->OnLimit(Limit::kProtocol);
    closing_ = true;
  }
}

void Session::OnFrameHeader(const FrameHeader& frame) {
  switch (ended_streams_.Take(frame)) {
    case EndedStreams::Verdict::kFine:
    case EndedStreams::Verdict::kIgnore:
      break;
    case EndedStreams::Verdict::kResetStream:
      late_.push_back(frame.stream);
      break;
    case EndedStreams::Verdict::kCloseConnection:
      return CloseFor(Limit::kProtocol, NGHTTP2_STREAM_CLOSED);
  }
  const bool ends = (frame.flags & kEndStreamFlag) != 0;
  if (frame.type == kHeadersFrame) {
    continuations_ = 0;
  } else if (frame.type == kContinuationFrame) {
    if (++continuations_ > core_->limits().continuation_frames) {
      CloseFor(Limit::kFlood, NGHTTP2_ENHANCE_YOUR_CALM);
    }
  } else if (frame.type != kDataFrame || (frame.length < kTinyData && !ends)) {
    Pay(1);
  }
}

void Session::OnFrame(const nghttp2_frame& frame) {
  const bool ends = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  const bool is_answer = (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0;
  switch (frame.hd.type) {
    case NGHTTP2_SETTINGS:
      if (is_answer) {
        acknowledged_ = true;
        handshake_deadline_ = Instant::InfiniteFuture();
      }
      return;
    case NGHTTP2_PING:
      if (is_answer && std::memcmp(frame.ping.opaque_data, kGoing, sizeof kGoing) == 0) OnAnswer();
      return;
    case NGHTTP2_HEADERS:
    case NGHTTP2_DATA:
      if (Stream* const stream = Find(frame.hd.stream_id)) {
        if (SessionCallbacks::IsRequest(frame)) stream->OnHeadersEnd();
        if (ends) stream->OnRequestsEnd();
      }
      return;
    default:
      return;
  }
}

void Session::OnSent(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_HEADERS && (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
    Stream* const stream = Find(frame.hd.stream_id);
    if (stream == nullptr) return;
    stream->OnStatusSent();
  } else if (frame.hd.type == NGHTTP2_GOAWAY && going_ == Going::kAnnounced) {
    // Only now: nghttp2 sends a PING before everything else, and the answer would mean nothing.
    nghttp2_submit_ping(h2_, NGHTTP2_FLAG_NONE, kGoing);
  } else if (frame.hd.type == NGHTTP2_RST_STREAM) {
    const std::uint32_t error = frame.rst_stream.error_code;
    // A peer can make the server reset streams as well as reset them itself.
    if (error == NGHTTP2_REFUSED_STREAM || error == NGHTTP2_STREAM_CLOSED) {
      Pay(kTokensPerReset);
    } else if (error != NGHTTP2_NO_ERROR && error != NGHTTP2_CANCEL) {
      Pay(kTokensPerError);
    }
  }
}

void Session::ApplyNotes() {
  Http2Call* last;
  {
    MutexLock lock(&inbox_mutex_);
    last = std::exchange(inbox_, nullptr);
  }
  Http2Call* first = nullptr;  // in the order in which they came
  while (last != nullptr) first = std::exchange(last, std::exchange(last->next_, first));
  while (first != nullptr) {
    Http2Call* const call = std::exchange(first, first->next_);
    call->Apply(call->notes_.exchange(0, std::memory_order_acq_rel));
  }
}

void Session::CheckTimers() {
  while (timers_.first_time() <= now_) timers_.first()->OnTimer();
  if (handshake_deadline_ <= now_) CloseFor(Limit::kHandshakeTimeout, NGHTTP2_SETTINGS_TIMEOUT);
  if (send_deadline_ <= now_) CloseFor(Limit::kSendTimeout, NGHTTP2_ENHANCE_YOUR_CALM);
  if (sweep_at_ <= now_) {
    sweep_at_ = now_ + kSweep;
    for (Stream* const stream : streams_) stream->CheckPatience();
  }
  if (idle_deadline_ <= now_) {
    idle_deadline_ = Instant::InfiniteFuture();
    core_->OnLimit(Limit::kIdleTimeout);
    if (going_ == Going::kNo) Announce();
  }
  if (age_deadline_ <= now_) {
    age_deadline_ = Instant::InfiniteFuture();
    if (going_ == Going::kNo) Announce();
  }
  if (going_deadline_ <= now_) SayGone();
  if (keepalive_at_ <= now_) {
    if (ping_outstanding_) {
      silent_ = true;
      return CloseFor(Limit::kKeepaliveTimeout, NGHTTP2_NO_ERROR);
    }
    ping_outstanding_ = true;
    keepalive_at_ = now_ + core_->limits().keepalive_timeout;
    nghttp2_submit_ping(h2_, NGHTTP2_FLAG_NONE, kKeepalive);
  }
}

Instant Session::NextTimer() const {
  const Instant receive_at =
      wants_to_receive() && pause_.until() > now_ ? pause_.until() : Instant::InfiniteFuture();
  return std::min({timers_.first_time(), handshake_deadline_, send_deadline_, sweep_at_,
                   idle_deadline_, age_deadline_, going_deadline_, keepalive_at_, receive_at});
}

void Session::Send(Scratch* scratch) {
  std::string& collected = scratch->to_send;
  while (socket_ != nullptr) {
    std::string_view bytes = std::string_view(unsent_).substr(unsent_from_);
    if (bytes.empty()) {
      collected.clear();
      Collect(&collected);
      bytes = collected;
      if (bytes.empty()) break;
    }
    const Socket::Result result =
        socket_->Send({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
    if (result.state == Socket::Result::State::kEnded) return Close();
    if (result.bytes == bytes.size()) {
      unsent_.clear();
      unsent_from_ = 0;
      send_deadline_ = Instant::InfiniteFuture();
    } else {
      if (unsent_.empty()) {
        unsent_ = bytes;
        send_deadline_ = now_ + core_->limits().send_timeout;
      }
      unsent_from_ += result.bytes;
      if (!result.more) break;
    }
  }
  if (unsent_.empty() && unsent_.capacity() > 0) std::string().swap(unsent_);
  const bool done = unsent_.empty() && nghttp2_session_want_read(h2_) == 0 &&
                    nghttp2_session_want_write(h2_) == 0;
  if (!closing_ && !done) return;
  if (!unsent_.empty() || silent_) return Close();  // the peer reads nothing
  BeginLinger(going_ == Going::kGone && !closing_ ? kLinger : kLingerAfterFault);
}

void Session::Collect(std::string* to) {
  do {
    filled_.clear();
    while (to->size() < kSendBytes) {
      const std::uint8_t* frame;
      const std::ptrdiff_t size = nghttp2_session_mem_send(h2_, &frame);
      if (size < 0) closing_ = true;
      if (size <= 0) break;
      to->append(reinterpret_cast<const char*>(frame), static_cast<std::size_t>(size));
    }
    // A stream may go on with its next message.
    for (const std::int32_t id : filled_) {
      if (Stream* const stream = Find(id)) stream->AfterFill();
    }
  } while (!filled_.empty() && to->size() < kSendBytes);
}

void Session::Consume(std::int32_t stream, std::size_t bytes) {
  nghttp2_session_consume_stream(h2_, stream, bytes);
}

void Session::OnResponse() { tokens_.Earn(kTokensPerResponse); }

void Session::OnGivenUp() { tokens_.Earn(kTokensPerReset); }

void Session::Pay(double tokens) {
  if (!tokens_.Take(tokens, now_)) CloseFor(Limit::kFlood, NGHTTP2_ENHANCE_YOUR_CALM);
}

void Session::Announce() {
  going_ = Going::kAnnounced;
  going_deadline_ = now_ + kAnnouncement;
  nghttp2_submit_shutdown_notice(h2_);
}

// The peer has read the announcement. gRPC's C core may send calls behind its answer that it has
// begun before. Those have arrived when it has answered once more.
void Session::OnAnswer() {
  if (going_ == Going::kAnswered) return SayGone();
  if (going_ != Going::kAnnounced) return;
  going_ = Going::kAnswered;
  nghttp2_submit_ping(h2_, NGHTTP2_FLAG_NONE, kGoing);
}

void Session::SayGone() {
  if (going_ == Going::kGone) return;
  going_ = Going::kGone;
  going_deadline_ = Instant::InfiniteFuture();
  nghttp2_submit_goaway(h2_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2_),
                        NGHTTP2_NO_ERROR, nullptr, 0);
  EndSource();
}

void Session::EndSource() {
  if (std::exchange(is_source_, false)) core_->RemoveSource();
}

void Session::CloseFor(Limit limit, std::uint32_t error) {
  if (std::exchange(closing_, true)) return;
  core_->OnLimit(limit);
  nghttp2_session_terminate_session(h2_, error);
}

void Session::BeginLinger(absl::Duration patience) {
  lingering_ = true;
  CloseStreams();
  EndSource();
  socket_->ShutDown();
  going_deadline_ = now_ + patience;
  events()->SetTimer(this, going_deadline_);
  Schedule();
}

void Session::Linger(Scratch* scratch) {
  // What it says does not matter, encrypted or not.
  const ssize_t count =
      recv(socket_->descriptor(), scratch->received.data(), scratch->received.size(), 0);
  const bool ended = count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR);
  if (ended || going_deadline_ <= now_) return Close();
  if (count < 0) return;
  lingered_bytes_ += static_cast<std::size_t>(count);
  if (lingered_bytes_ > kLingerBytes) return Close();
  Schedule();
}

void Session::Close() {
  events()->Remove(socket_->descriptor(), this);
  events()->SetTimer(this, Instant::InfiniteFuture());
  if (!lingering_) socket_->ShutDown();
  account_->Give(socket_->memory());
  socket_ = nullptr;
  CloseStreams();
  EndSource();
  core_->RemoveConnection(peer_);
  core_->RemoveSession(this);
}

std::uint64_t Session::caller() {
  if (!caller_.has_value()) {
    caller_ = CallerOf(socket_->principal(), peer_);
    certificate_names_ = socket_->certificate_names();
  }
  return *caller_;
}

Stream* Session::Find(std::int32_t id) const {
  return static_cast<Stream*>(nghttp2_session_get_stream_user_data(h2_, id));
}

void Session::OpenStream(std::int32_t id) {
  if (!core_->AddStream(static_cast<int>(streams_.size()))) {
    core_->OnLimit(Limit::kStreams);
    nghttp2_submit_rst_stream(h2_, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return;
  }
  std::unique_ptr<Stream> stream = core_->idle_streams()->Take();
  if (stream == nullptr) stream = std::make_unique<Stream>();
  stream->Begin(this, id);
  nghttp2_session_set_stream_user_data(h2_, id, stream.get());
  streams_.insert(stream.release());
  idle_deadline_ = Instant::InfiniteFuture();
  if (sweep_at_ == Instant::InfiniteFuture()) sweep_at_ = now_ + kSweep;
}

void Session::CloseStreams() {
  const std::vector<Stream*> streams(streams_.begin(), streams_.end());
  for (Stream* const stream : streams) CloseStream(stream);
}

void Session::CloseStream(Stream* stream) {
  std::unique_ptr<Stream> closed(stream);
  streams_.erase(stream);
  nghttp2_session_set_stream_user_data(h2_, stream->id(), nullptr);
  stream->OnClosed();
  core_->RemoveStream();
  core_->idle_streams()->Put(std::move(closed));
  if (!streams_.empty()) return;
  idle_deadline_ = now_ + core_->limits().idle_timeout;
  sweep_at_ = Instant::InfiniteFuture();
}

}  // namespace hellocnn::server
