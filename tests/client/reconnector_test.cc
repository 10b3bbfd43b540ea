// Tests what a client does while its server is away. This is not a unit test: it looks at real
// threads.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "tests/client/fake_server.h"

namespace hellocnn::client {
namespace {

// Closes each connection as soon as it is made, as a proxy does whose server is away.
class HangingUp {
 public:
  HangingUp() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_, generic, size), 0);
    EXPECT_EQ(listen(listener_, 16), 0);
    EXPECT_EQ(getsockname(listener_, generic, &size), 0);
    target_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
    thread_ = std::thread([this] { Run(); });
  }
  ~HangingUp() {
    shutdown(listener_, SHUT_RDWR);  // ends accept
    thread_.join();
    close(listener_);
  }

  const std::string& target() const { return target_; }

  // Blocks until `count` more connections have been made.
  void WaitForMore(int count) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MutexLock lock(&mutex_);
    const int wanted = connections_ + count;
    while (connections_ < wanted) connected_.Wait(&mutex_);
  }

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_) {
    while (true) {
      const int connection = accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      close(connection);
      const MutexLock lock(&mutex_);
      ++connections_;
      connected_.SignalAll();
    }
  }

  const int listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string target_;
  Mutex mutex_;
  CondVar connected_;
  int connections_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

// Returns how often threads of this process have begun to wait.
long Waits() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_nvcsw;
}

TEST(Reconnector, LeavesTheCpuAloneWhileTheServerIsAway) {
  HangingUp server;
  const Client client =
      Client::Create({.target = server.target(), .default_timeout = absl::Minutes(1)}).value();
  ASSERT_TRUE(absl::IsUnavailable(client.Classify({Uniform(1)}).status()));
  // Two failures are enough for the thread that reconnects to start.
  ASSERT_TRUE(absl::IsUnavailable(client.Classify({Uniform(1)}).status()));
  const long before = Waits();
  server.WaitForMore(2);  // gRPC's backoff is 1 s at first, and 1.6 s then
  // Checking every 20 ms took about 150 waits. Now there are about 20, most of them in gRPC.
  EXPECT_LT(Waits() - before, 80);
}

TEST(Reconnector, EndsAtOnceWithItsClient) {
  FakeServer server;
  server.Stop();
  for (int client = 0; client < 100; ++client) {
    // If each client waited for a second, any test timeout would notice.
    ASSERT_TRUE(absl::IsUnavailable(server.Connect().Classify({Uniform(1)}).status()));
  }
}

}  // namespace
}  // namespace hellocnn::client
