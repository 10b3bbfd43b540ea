#include "server/rpc/transport/http2/socket.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace hellocnn::server {
namespace {

class PlainSocket final : public Socket {
 public:
  explicit PlainSocket(int descriptor) : descriptor_(descriptor) {}
  ~PlainSocket() override { close(descriptor_); }
  PlainSocket(const PlainSocket&) = delete;
  PlainSocket& operator=(const PlainSocket&) = delete;

  int descriptor() const override { return descriptor_; }
  Result Receive(std::span<std::uint8_t> first, std::span<std::uint8_t> second) override {
    std::array<iovec, 2> parts = {iovec{first.data(), first.size()},
                                  iovec{second.data(), second.size()}};
    const ssize_t count = first.empty()
                              ? recv(descriptor_, second.data(), second.size(), 0)
                              : readv(descriptor_, parts.data(), static_cast<int>(parts.size()));
    if (count == 0) return {.state = Result::State::kEnded};
    return Outcome(count);
  }
  Result Send(std::span<const std::uint8_t> bytes) override {
    return Outcome(send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL));
  }
  void ShutDown() override { shutdown(descriptor_, SHUT_WR); }

 private:
  static Result Outcome(ssize_t count) {
    if (count >= 0) return {.bytes = static_cast<std::size_t>(count)};
    if (errno == EINTR) return {.more = true};
    return {.state = errno == EAGAIN ? Result::State::kOpen : Result::State::kEnded};
  }

  const int descriptor_;
};

}  // namespace

std::unique_ptr<Socket> MakePlainSocket(int descriptor) {
  return std::make_unique<PlainSocket>(descriptor);
}

}  // namespace hellocnn::server
