#include "base/notify_socket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hellocnn {
namespace {

using ::testing::HasSubstr;

// Listens as a service manager does.
class FakeManager {
 public:
  explicit FakeManager(const std::string& address) {
    sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
    std::memcpy(name.sun_path, address.data(), address.size());
    if (address[0] == '@') name.sun_path[0] = '\0';
    EXPECT_EQ(bind(descriptor_, reinterpret_cast<const sockaddr*>(&name),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size())),
              0)
        << std::strerror(errno);
  }
  ~FakeManager() { close(descriptor_); }

  std::string Receive() const {
    std::array<char, 4096> bytes{};
    const ssize_t got = recv(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    return got < 0 ? "nothing" : std::string(bytes.data(), static_cast<std::size_t>(got));
  }

 private:
  const int descriptor_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

class NotifySocketTest : public ::testing::Test {
 protected:
  NotifySocketTest() {
    std::string folder = (std::filesystem::temp_directory_path() / "notify_XXXXXX").string();
    folder_ = mkdtemp(folder.data());
  }
  ~NotifySocketTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST_F(NotifySocketTest, AMessageArrivesAtAPathAndAtAnAbstractName) {
  const std::string abstract = absl::StrCat("@hellocnn/notify/", folder_.filename().string());
  for (const std::string& address : {(folder_ / "notify").string(), abstract}) {
    SCOPED_TRACE(address);
    const FakeManager manager(address);
    const absl::StatusOr<NotifySocket> socket = NotifySocket::Open(address);
    ASSERT_TRUE(socket.ok()) << socket.status();
    EXPECT_TRUE(socket->Send("READY=1\nSTATUS=Serving.").ok());
    EXPECT_TRUE(socket->Send("STOPPING=1").ok());
    EXPECT_EQ(manager.Receive(), "READY=1\nSTATUS=Serving.");
    EXPECT_EQ(manager.Receive(), "STOPPING=1");
  }
}

TEST_F(NotifySocketTest, AManagerThatHasStartedAgainIsTold) {
  const std::string address = (folder_ / "notify").string();
  const absl::StatusOr<NotifySocket> socket = NotifySocket::Open(address);
  ASSERT_TRUE(socket.ok()) << socket.status();
  const absl::Status nobody = socket->Send("STATUS=one");
  EXPECT_EQ(nobody.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(nobody.message(), HasSubstr(address));
  const FakeManager manager(address);
  EXPECT_TRUE(socket->Send("STATUS=two").ok());
  EXPECT_EQ(manager.Receive(), "STATUS=two");
}

TEST_F(NotifySocketTest, AddressesThatAreNoneAreNamed) {
  for (const std::string& address : {std::string("notify"), std::string("@"),
                                     std::string("vsock:2:1234"), "/" + std::string(107, 'a')}) {
    const absl::Status status = NotifySocket::Open(address).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("\"" + address + "\""));
  }
  EXPECT_TRUE(NotifySocket::Open("/" + std::string(106, 'a')).ok());
}

TEST_F(NotifySocketTest, TheEnvironmentIsTakenOnce) {
  setenv("NOTIFY_SOCKET", "/run/notify", 1);
  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", absl::StrCat(getpid()).c_str(), 1);
  const NotifyEnvironment environment = TakeNotifyEnvironment();
  EXPECT_EQ(environment.socket, "/run/notify");
  EXPECT_EQ(environment.watchdog, absl::Seconds(30));
  EXPECT_EQ(environment.problem, "");
  for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}) {
    EXPECT_EQ(std::getenv(name), nullptr) << name;
  }
  const NotifyEnvironment again = TakeNotifyEnvironment();
  EXPECT_EQ(again.socket, "");
  EXPECT_EQ(again.watchdog, std::nullopt);
}

TEST_F(NotifySocketTest, AWatchdogOfAnotherProcessIsNotOurs) {
  setenv("WATCHDOG_USEC", "30000000", 1);
  setenv("WATCHDOG_PID", absl::StrCat(getppid()).c_str(), 1);
  const NotifyEnvironment environment = TakeNotifyEnvironment();
  EXPECT_EQ(environment.watchdog, std::nullopt);
  EXPECT_EQ(environment.problem, "");
}

TEST_F(NotifySocketTest, ABadWatchdogIsNamed) {
  setenv("WATCHDOG_USEC", "soon", 1);
  EXPECT_EQ(TakeNotifyEnvironment().problem,
            "WATCHDOG_USEC is \"soon\"; wanted a number of microseconds");
  setenv("WATCHDOG_USEC", "1000000", 1);
  setenv("WATCHDOG_PID", "me", 1);
  EXPECT_EQ(TakeNotifyEnvironment().problem, "WATCHDOG_PID is \"me\"; wanted the id of a process");
}

}  // namespace
}  // namespace hellocnn
