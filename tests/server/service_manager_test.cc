#include "server/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/notify_socket.h"
#include "server/serving/lifecycle.h"
#include "server/serving/model_status.h"

namespace hellocnn::server {
namespace {

using State = ModelStatus::State;

// Listens as a service manager does, at an abstract name.
class FakeManager {
 public:
  FakeManager() {
    sockaddr_un name{.sun_family = AF_UNIX, .sun_path = {}};
    std::memcpy(name.sun_path + 1, address_.data() + 1, address_.size() - 1);
    EXPECT_EQ(bind(descriptor_, reinterpret_cast<const sockaddr*>(&name),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size())),
              0);
  }
  ~FakeManager() { close(descriptor_); }

  const std::string& address() const { return address_; }
  std::string Receive() const {
    std::array<char, 4096> bytes{};
    const ssize_t got = recv(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    return got < 0 ? "nothing" : std::string(bytes.data(), static_cast<std::size_t>(got));
  }

 private:
  const std::string address_ = absl::StrCat("@hellocnn/service_manager_test/", getpid());
  const int descriptor_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

ModelStatus Version(std::string_view name, std::string_view version, State state) {
  ModelStatus status;
  status.name = name;
  status.version = version;
  status.state = state;
  return status;
}

class ServiceStatusTest : public ::testing::Test {
 protected:
  FakeManager fake_;
  ServiceManager manager_{{.socket = fake_.address(), .watchdog = {}, .problem = ""}};
  Lifecycle lifecycle_;
  const ServiceStatus::Options options_{.path = "/models", .drain_time = absl::Seconds(45)};
};

TEST_F(ServiceStatusTest, TellsEachStateInOrder) {
  ServiceStatus status(&manager_, &lifecycle_, options_);
  EXPECT_EQ(fake_.Receive(), "STATUS=Loading what is in /models.");
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  EXPECT_EQ(fake_.Receive(), "nothing");  // the port for HTTP is yet to open
  status.OnReady("127.0.0.1:8500", {Version("mnist", "2", State::kServing)});
  EXPECT_EQ(fake_.Receive(), "READY=1\nSTATUS=Serving model mnist, version 2, on 127.0.0.1:8500.");
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kLeaving).ok());
  EXPECT_EQ(fake_.Receive(),
            "STOPPING=1\nEXTEND_TIMEOUT_USEC=45000000\n"
            "STATUS=Leaving: calls are still served, and clients are asked to go elsewhere.");
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kDraining).ok());
  EXPECT_EQ(fake_.Receive(), "STATUS=Draining: calls that were accepted are finished.");
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kStopped).ok());
  EXPECT_EQ(fake_.Receive(), "STATUS=Stopped.");
  EXPECT_EQ(fake_.Receive(), "nothing");
}

TEST_F(ServiceStatusTest, AServerThatIsToldToStopWhileItLoadsIsNeverReady) {
  ServiceStatus status(&manager_, &lifecycle_, options_);
  fake_.Receive();
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kDraining).ok());
  EXPECT_EQ(fake_.Receive(),
            "STOPPING=1\nEXTEND_TIMEOUT_USEC=45000000\nSTATUS=Stopping before any call was "
            "served.");
  status.OnReady("127.0.0.1:8500", {});
  EXPECT_EQ(fake_.Receive(), "nothing");
}

TEST_F(ServiceStatusTest, ChangesOfModelsAreToldWhileItServes) {
  ServiceStatus status(&manager_, &lifecycle_, options_);
  fake_.Receive();
  status.OnModels({Version("mnist", "1", State::kServing)});
  EXPECT_EQ(fake_.Receive(), "nothing");
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  status.OnReady("[::]:1", {Version("mnist", "1", State::kServing)});
  fake_.Receive();
  status.OnModels({Version("mnist", "1", State::kServing), Version("mnist", "2", State::kLoading)});
  EXPECT_EQ(fake_.Receive(), "nothing");  // the sentence is the same
  status.OnModels({Version("mnist", "1", State::kStandby), Version("mnist", "2", State::kServing)});
  EXPECT_EQ(fake_.Receive(), "STATUS=Serving model mnist, version 2, on [::]:1.");
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kLeaving).ok());
  fake_.Receive();
  status.OnModels({});
  EXPECT_EQ(fake_.Receive(), "nothing");
}

TEST_F(ServiceStatusTest, LinesInNamesStartNoAssignment) {
  ServiceStatus status(&manager_, &lifecycle_, {.path = "/a\nMAINPID=1", .drain_time = {}});
  EXPECT_EQ(fake_.Receive(), "STATUS=Loading what is in /a\\nMAINPID=1.");
}

TEST(DescribeServingTest, CountsModelsAndVersions) {
  EXPECT_EQ(DescribeServing({}, "a:1"), "Serving no model on a:1.");
  EXPECT_EQ(DescribeServing(
                {Version("m", "1", State::kServing), Version("m", "2", State::kServing)}, "a:1"),
            "Serving 2 versions of model m on a:1.");
  EXPECT_EQ(DescribeServing({Version("m", "1", State::kServing), Version("n", "1", State::kServing),
                             Version("o", "1", State::kFailed)},
                            "a:1"),
            "Serving 2 models on a:1.");
}

TEST(ServiceManagerTest, NothingFailsWithoutOneOrWithABadAddress) {
  for (const std::string_view address : {"", "no path", "/nobody/listens"}) {
    ServiceManager manager(
        {.socket = std::string(address), .watchdog = absl::Seconds(1), .problem = ""});
    manager.Tell("READY=1");
    EXPECT_EQ(manager.watchdog().has_value(), address == "/nobody/listens");
  }
}

TEST(ServiceManagerTest, AStatusWithoutAManagerDoesNothing) {
  Lifecycle lifecycle;
  ServiceStatus status(nullptr, &lifecycle, {.path = "/models", .drain_time = {}});
  status.OnReady("a:1", {});
  status.OnModels({});
  EXPECT_TRUE(lifecycle.Enter(LifecycleState::kDraining).ok());
}

}  // namespace
}  // namespace hellocnn::server
