// Which streams a peer has ended, so that frames that follow are noticed.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_ENDED_STREAMS_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_ENDED_STREAMS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "server/rpc/transport/http2/frame_walker.h"

namespace hellocnn::server {

// Remembers the last eight streams that the peer has ended. nghttp2 would remember as many as may
// be open at once, which takes too much memory, or none. Thread-compatible.
class EndedStreams {
 public:
  enum class Verdict {
    kFine,
    kIgnore,           // follows a reset, as other frames did: not worth a word
    kResetStream,      // the first that follows a reset: STREAM_CLOSED for the stream
    kCloseConnection,  // follows the end that the peer has announced: STREAM_CLOSED for all
  };

  // Takes the next frame, and says whether it has a right to be there. HEADERS and DATA of a stream
  // that has ended have none (RFC 7540, section 5.1). After a reset they harm nobody: a client may
  // have had them in a queue, as Netty has when a deadline passes before they are sent. Frames of
  // stream 0, which is the connection, are another error, and nghttp2's to find.
  Verdict Take(const FrameHeader& frame) {
    if (frame.stream == 0) return Verdict::kFine;
    const bool carries_request = frame.type == kHeadersFrame || frame.type == kDataFrame;
    const bool is_reset = frame.type == kResetFrame;
    if (!carries_request && !is_reset) return Verdict::kFine;
    const auto ended = std::find_if(ended_.begin(), ended_.end(),
                                    [&](const Ended& one) { return one.id == frame.stream; });
    if (ended != ended_.end()) {
      return is_reset ? Verdict::kFine : std::exchange(ended->next, Next(ended->next));
    }
    if (is_reset || (frame.flags & kEndStreamFlag) != 0) {
      ended_[next_++ % ended_.size()] = {
          .id = frame.stream, .next = is_reset ? Verdict::kResetStream : Verdict::kCloseConnection};
    }
    return Verdict::kFine;
  }

 private:
  struct Ended {
    std::int32_t id = 0;            // 0: none yet
    Verdict next = Verdict::kFine;  // on what follows
  };

  static Verdict Next(Verdict verdict) {
    return verdict == Verdict::kResetStream ? Verdict::kIgnore : verdict;
  }

  std::array<Ended, 8> ended_{};
  std::size_t next_ = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_ENDED_STREAMS_H_
