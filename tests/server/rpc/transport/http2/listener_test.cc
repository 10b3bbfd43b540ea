#include "server/rpc/transport/http2/listener.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "base/listen.h"
#include "gtest/gtest.h"
#include "tests/server/rpc/transport/http2/server_bed.h"

namespace hellocnn::server {
namespace {

// Lets this process open no more descriptors while it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int lowest_free = fcntl(0, F_DUPFD_CLOEXEC, 0);
    close(lowest_free);
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(lowest_free);
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

class ListenerTest : public ::testing::Test {
 protected:
  ~ListenerTest() override {
    listener_->Stop();
    bed_.Run();
    for (const int descriptor : opened_) close(descriptor);
  }

  void Begin() {
    const ListeningSocket listening = Listen("127.0.0.1:0").value();
    port_ = listening.port;
    listener_ = std::make_shared<Listener>(&bed_.core, listening.descriptor,
                                           [this](int descriptor, const std::string& peer) {
                                             opened_.push_back(descriptor);
                                             peers_.push_back(peer);
                                           });
    ASSERT_TRUE(listener_->Begin().ok());
  }
  int Connect() {
    opened_.push_back(ConnectTo(port_));
    return opened_.back();
  }
  // Returns true if the server has closed the connection.
  static bool IsRefused(int client) {
    char byte;
    return recv(client, &byte, 1, MSG_DONTWAIT) == 0 || (errno != EAGAIN && errno != EINTR);
  }

  ServerBed bed_;
  std::shared_ptr<Listener> listener_;
  int port_ = 0;
  std::vector<int> opened_;
  std::vector<std::string> peers_;
};

TEST_F(ListenerTest, TakesConnectionsWithTheAddressOfTheirPeers) {
  Begin();
  Connect();
  Connect();
  bed_.Run();
  EXPECT_EQ(peers_, (std::vector<std::string>{"127.0.0.1", "127.0.0.1"}));
}

#ifndef HELLOCNN_SANITIZED  // UndefinedBehaviorSanitizer needs descriptors to look at objects
TEST_F(ListenerTest, WithoutDescriptorsItRefuses) {
  Begin();
  const int client = Connect();
  {
    const NoDescriptors none;
    bed_.Run();
  }
  EXPECT_TRUE(IsRefused(client));
  EXPECT_TRUE(peers_.empty());
  EXPECT_EQ(bed_.reached, std::vector<Limit>{Limit::kDescriptors});
}

TEST_F(ListenerTest, ItRefusesAlsoIfItOnceGotNoSpareDescriptor) {
  const ListeningSocket listening = Listen("127.0.0.1:0").value();
  port_ = listening.port;
  {
    const NoDescriptors none;
    listener_ = std::make_shared<Listener>(
        &bed_.core, listening.descriptor,
        [this](int descriptor, const std::string&) { opened_.push_back(descriptor); });
  }
  ASSERT_TRUE(listener_->Begin().ok());
  const int accepted = Connect();
  bed_.Run();  // now there are descriptors
  EXPECT_FALSE(IsRefused(accepted));
  const int refused = Connect();
  {
    const NoDescriptors none;
    bed_.Run();
  }
  EXPECT_TRUE(IsRefused(refused));
}
#endif

}  // namespace
}  // namespace hellocnn::server
