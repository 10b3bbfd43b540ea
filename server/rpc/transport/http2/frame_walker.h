// Looks at the headers of HTTP/2 frames on their way to nghttp2, which skips frames of types that
// it does not know without a word.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_FRAME_WALKER_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_FRAME_WALKER_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace hellocnn::server {

// RFC 9113, section 4.1.
struct FrameHeader {
  std::size_t length = 0;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::int32_t stream = 0;
};
inline constexpr std::uint8_t kDataFrame = 0;
inline constexpr std::uint8_t kHeadersFrame = 1;
inline constexpr std::uint8_t kResetFrame = 3;
inline constexpr std::uint8_t kContinuationFrame = 9;
inline constexpr std::uint8_t kEndStreamFlag = 1;

// Follows the bytes that a client sends, from its connection preface on. Thread-compatible.
class FrameWalker {
 public:
  // Walks over the next `bytes`. Calls `on_frame(header)` for each frame whose header ends in them.
  template <typename OnFrame>
  void Walk(std::span<const std::uint8_t> bytes, const OnFrame& on_frame) {
    while (true) {
      const std::size_t skipped = std::min(left_, bytes.size());
      left_ -= skipped;
      bytes = bytes.subspan(skipped);
      if (bytes.empty()) return;
      const std::size_t part = std::min(header_.size() - header_size_, bytes.size());
      std::copy_n(bytes.begin(), part, header_.begin() + header_size_);
      header_size_ += part;
      bytes = bytes.subspan(part);
      if (header_size_ < header_.size()) return;
      header_size_ = 0;
      frame_ = {.length = std::size_t{header_[0]} << 16 | std::size_t{header_[1]} << 8 | header_[2],
                .type = header_[3],
                .flags = header_[4],
                .stream = static_cast<std::int32_t>((std::uint32_t{header_[5]} & 0x7F) << 24 |
                                                    std::uint32_t{header_[6]} << 16 |
                                                    std::uint32_t{header_[7]} << 8 | header_[8])};
      in_frames_ = true;
      left_ = frame_.length;
      on_frame(frame_);
    }
  }

  // Returns true once the preface and a whole frame header have been walked over.
  bool in_frames() const { return in_frames_; }
  // Once in_frames(): the frame whose header was the last to end, and how many of its bytes are
  // still to come.
  const FrameHeader& frame() const { return frame_; }
  std::size_t left() const { return left_; }

 private:
  static constexpr std::size_t kPrefaceBytes = 24;

  std::size_t left_ = kPrefaceBytes;
  std::array<std::uint8_t, 9> header_{};
  std::size_t header_size_ = 0;
  bool in_frames_ = false;
  FrameHeader frame_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_FRAME_WALKER_H_
