#include "server/rpc/transport/http2/session.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/rpc/transport/http2/socket.h"
#include "server/rpc/transport/http2/tls_socket.h"
#include "server/tls/tls_context.h"
#include "tests/server/rpc/transport/http2/server_bed.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kSettings("\0\0\0\4\0\0\0\0\0", 9);
// DATA of stream 0, which is against the protocol.
constexpr std::string_view kWrong("\0\0\1\0\0\0\0\0\0x", 10);
constexpr char kGoawayType = 7;

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() {
    const auto [server, client] = ConnectedPair();
    client_ = client;
    Limit limit;
    bed_.core.AddConnection("peer", &limit);
    Session::Start(&bed_.core, MakePlainSocket(server), "peer", absl::ZeroDuration());
    bed_.Run();
  }
  ~SessionTest() override {
    close(client_);
    bed_.Run();
    EXPECT_TRUE(bed_.core.WaitUntilEmpty(Instant::InfinitePast()));
  }

  void Send(std::string_view bytes) {
    ASSERT_EQ(send(client_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // Returns what the server has sent, up to its end. `*how` becomes 0 if the server has ended its
  // side and no more, and otherwise the error, also that of a reset that came after the end.
  std::string ReceiveAll(int* how) const {
    std::string all;
    std::array<char, 4096> bytes;
    while (true) {
      const ssize_t count = recv(client_, bytes.data(), bytes.size(), MSG_DONTWAIT);
      if (count <= 0) {
        *how = errno;
        socklen_t size = sizeof *how;
        if (count == 0) getsockopt(client_, SOL_SOCKET, SO_ERROR, how, &size);
        return all;
      }
      all.append(bytes.data(), static_cast<std::size_t>(count));
    }
  }
  // Returns the number of frames of `type` among `bytes`.
  static int Count(std::string_view bytes, char type) {
    int count = 0;
    while (bytes.size() >= 9) {
      const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
      count += bytes[3] == type ? 1 : 0;
      const std::size_t length =
          std::size_t{byte(0)} << 16 | std::size_t{byte(1)} << 8 | std::size_t{byte(2)};
      bytes.remove_prefix(std::min(bytes.size(), 9 + length));
    }
    return count;
  }

  ServerBed bed_;
  int client_ = -1;
};

TEST_F(SessionTest, SaysWhatWasWrongAndEndsInOrder) {
  Send(kPreface);
  Send(kSettings);
  Send(kWrong);
  bed_.Run();
  int how = -1;
  EXPECT_EQ(Count(ReceiveAll(&how), kGoawayType), 1);
  EXPECT_EQ(how, 0) << std::strerror(how);
}

TEST_F(SessionTest, SaysWhatWasWrongAlsoToAPeerThatHasSentMuchMore) {
  Send(kPreface);
  Send(kSettings);
  Send(kWrong);
  // More than the server receives at once. What is unread when a socket is closed makes the system
  // reset the connection, which may overtake what was sent.
  Send(std::string(400'000, 'x'));
  bed_.Run();
  int how = -1;
  EXPECT_EQ(Count(ReceiveAll(&how), kGoawayType), 1);
  EXPECT_EQ(how, 0) << std::strerror(how);
}

TEST_F(SessionTest, APeerThatGoesOnSendingStillReadsTheReason) {
  Send(kPreface);
  Send(kSettings);
  Send(kWrong);
  bed_.Run();
  Send(std::string(100000, 'x'));
  bed_.Run();
  Send("y");
  bed_.Run();
  int how = -1;
  EXPECT_EQ(Count(ReceiveAll(&how), kGoawayType), 1);
  EXPECT_EQ(how, 0) << std::strerror(how);
}

TEST_F(SessionTest, APeerThatIgnoresTheReasonIsCutOff) {
  Send(kPreface);
  Send(kSettings);
  Send(kWrong);
  bed_.Run();
  const std::string more(100'000, 'x');
  for (int i = 0; i < 4; ++i) {
    Send(more);
    bed_.Run();
    EXPECT_EQ(bed_.core.connections(), 1);
  }
  for (int i = 0; i < 4 && bed_.core.connections() == 1; ++i) {
    send(client_, more.data(), more.size(), MSG_NOSIGNAL);
    bed_.Run();
  }
  EXPECT_EQ(bed_.core.connections(), 0);
}

// A method whose calls end when the test finishes them.
struct HeldMethod {
  class Handler final : public CallHandler {
   public:
    Handler(HeldMethod* method, UnaryRpc* rpc) : method_(method), rpc_(rpc) {}

   private:
    void OnCall() override { method_->rpc = rpc_; }
    void OnEnd() override { ++method_->ended; }

    HeldMethod* const method_;
    UnaryRpc* const rpc_;
  };

  Service service() {
    return {.name = "s",
            .unary = {{.name = "M",
                       .make_handler =
                           [this](UnaryRpc* arrived) {
                             return std::make_unique<Handler>(this, arrived);
                           }}},
            .streams = {}};
  }

  UnaryRpc* rpc = nullptr;  // of the last call
  int ended = 0;
};

// The headers of POST /s/M.
std::string HeadersOfHeldMethod() {
  using std::string_literals::operator""s;
  return "\x83\x86\x04\x04/s/M\x01\x01h"
         "\0\x0c"
         "content-type\x10"
         "application/grpc"
         "\0\x02"
         "te\x08"
         "trailers"s;
}

// The frame of these headers on `stream`, which must be less than 128.
std::string HeadersFrame(char stream, const std::string& headers) {
  using std::string_literals::operator""s;
  return "\0\0"s + static_cast<char>(headers.size()) + "\1\4\0\0\0"s + stream + headers;
}

// POST /s/M with an empty message, on stream 1.
std::string CallOfHeldMethod() {
  using std::string_literals::operator""s;
  return HeadersFrame(1, HeadersOfHeldMethod()) + "\0\0\5\0\1\0\0\0\1\0\0\0\0\0"s;
}

// Begins a session of `bed`. Returns the peer's end of the connection.
int BeginSession(ServerBed* bed) {
  const auto [server, client] = ConnectedPair();
  Limit limit;
  bed->core.AddConnection("peer", &limit);
  Session::Start(&bed->core, MakePlainSocket(server), "peer", absl::ZeroDuration());
  return client;
}

TEST(SessionCalls, CallEndsIfItsResponseComesInTheSameRunAsTheEndOfTheConnection) {
  HeldMethod method;
  ServerBed bed({}, {method.service()});
  const int client = BeginSession(&bed);
  const std::string bytes = std::string(kPreface) + std::string(kSettings) + CallOfHeldMethod();
  ASSERT_EQ(send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL), std::ssize(bytes));
  bed.Run();
  ASSERT_NE(method.rpc, nullptr);
  close(client);
  EventQueue::Event end;
  while (bed.events->Wait(Instant::InfinitePast(), &end) != EventQueue::Got::kEvent) continue;
  method.rpc->Finish(absl::OkStatus());  // the session is scheduled already
  bed.events->Handle(end);
  bed.Run();
  EXPECT_EQ(bed.core.connections(), 0);
  EXPECT_EQ(method.ended, 1);
  EXPECT_TRUE(bed.core.WaitUntilEmpty(Instant::InfinitePast()));
}

// The frame of the headers of POST /s/M with the timeout.
std::string HeadersWithTimeout(char stream, std::string_view timeout) {
  using std::string_literals::operator""s;
  return HeadersFrame(stream, HeadersOfHeldMethod() +
                                  "\0\x0c"
                                  "grpc-timeout"s +
                                  static_cast<char>(timeout.size()) + std::string(timeout));
}

// A connection that may send 10 frames of no use.
class SessionFlood : public ::testing::Test {
 protected:
  SessionFlood() : bed_({.flood_burst = 10, .flood_per_second = 0}, {method_.service()}) {
    client_ = BeginSession(&bed_);
    Send(std::string(kPreface) + std::string(kSettings));
  }
  ~SessionFlood() override {
    close(client_);
    bed_.Run();
    EXPECT_TRUE(bed_.core.WaitUntilEmpty(Instant::InfinitePast()));
  }

  void Send(const std::string& bytes) {
    send(client_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    bed_.Run();
  }
  // Begins 30 calls with the timeout, and resets each of them after `patience`.
  void BeginAndResetCalls(std::string_view timeout, absl::Duration patience) {
    using std::string_literals::operator""s;
    for (char stream = 1; stream < 60; stream = static_cast<char>(stream + 2)) {
      Send(HeadersWithTimeout(stream, timeout));
      absl::SleepFor(patience);
      Send("\0\0\4\3\0\0\0\0"s + stream + "\0\0\0\x08"s);
    }
  }

  HeldMethod method_;
  ServerBed bed_;
  int client_ = -1;
};

TEST_F(SessionFlood, CallersMayResetWhatIsTooLate) {
  BeginAndResetCalls("6m", absl::Milliseconds(4));
  EXPECT_THAT(bed_.reached, IsEmpty());
}

TEST_F(SessionFlood, ResetsBeforeThatAreAFlood) {
  BeginAndResetCalls("1H", absl::ZeroDuration());
  EXPECT_THAT(bed_.reached, ElementsAre(Limit::kFlood));
}

TEST_F(SessionFlood, ATimeoutOfNothingExcusesNoReset) {
  BeginAndResetCalls("1n", absl::ZeroDuration());
  EXPECT_THAT(bed_.reached, ElementsAre(Limit::kFlood));
}

TEST(SessionMemory, TlsIsChargedWhileTheConnectionLives) {
  ServerBed bed;
  const auto context = std::make_shared<TlsContext>(TlsFiles());
  const auto [server, client] = ConnectedPair();
  Limit limit;
  bed.core.AddConnection("peer", &limit);
  Session::Start(&bed.core, MakeTlsSocket(server, context, [](const std::string&) {}), "peer",
                 absl::ZeroDuration());
  bed.Run();
  EXPECT_EQ(bed.core.memory()->used(), kTlsConnectionBytes);
  close(client);
  bed.Run();
  EXPECT_EQ(bed.core.memory()->used(), 0U);
}

}  // namespace
}  // namespace hellocnn::server
