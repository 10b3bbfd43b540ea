#include "server/rpc/health/health_service.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "server/rpc/health/health.grpc.pb.h"
#include "server/rpc/transport/transport.h"
#include "server/serving/lifecycle.h"
#include "tests/testing/transports.h"

namespace hellocnn::server {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class HealthServiceTest : public ::testing::TestWithParam<std::string> {
 protected:
  HealthServiceTest() {
    for (std::thread& thread : threads_) thread = std::thread([this] { HandleEvents(); });
    stub_ = Health::NewStub(
        grpc::CreateChannel(transport_->address(), grpc::InsecureChannelCredentials()));
  }
  ~HealthServiceTest() override {
    transport_->Stop(absl::ZeroDuration());
    transport_->events()->Close();
    for (std::thread& thread : threads_) thread.join();
  }

  void HandleEvents() {
    EventQueue::Event event;
    while (true) {
      const EventQueue::Got got = transport_->events()->Wait(Instant::InfiniteFuture(), &event);
      if (got == EventQueue::Got::kEnd) return;
      if (got == EventQueue::Got::kEvent) transport_->events()->Handle(event);
    }
  }

  HealthCheckResponse::ServingStatus Check(const std::string& service) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(service);
    HealthCheckResponse response;
    const grpc::Status status = stub_->Check(&context, request, &response);
    if (status.error_code() == grpc::StatusCode::NOT_FOUND) {
      return HealthCheckResponse::SERVICE_UNKNOWN;
    }
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.status();
  }

  struct Watching {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<HealthCheckResponse>> reader;
    HealthCheckResponse::ServingStatus Next() {
      HealthCheckResponse response;
      EXPECT_TRUE(reader->Read(&response));
      return response.status();
    }
  };
  std::unique_ptr<Watching> Watch(const std::string& service) {
    auto watching = std::make_unique<Watching>();
    HealthCheckRequest request;
    request.set_service(service);
    watching->reader = stub_->Watch(&watching->context, request);
    return watching;
  }

  Lifecycle lifecycle_;
  // Whether "mnist" is served, and version 2 of it, "a/versions/b" and nothing else is known.
  std::atomic<bool> mnist_served_{true};
  HealthService health_{
      {"pkg.Service"},
      &lifecycle_,
      {.is_served = [this](std::string_view name, std::string_view version) -> std::optional<bool> {
         if (name == "mnist" && (version.empty() || version == "2")) {
           return mnist_served_.load();
         }
         if (name == "a/versions/b" && version.empty()) return true;
         return std::nullopt;
       },
       .list =
           [] {
             return std::vector<std::pair<std::string, std::string>>{{"mnist", "2"},
                                                                     {"a/versions/b", ""}};
           }}};
  const std::unique_ptr<Transport> transport_ =
      testing::StartTransport(GetParam(), {health_.Describe()});
  std::thread threads_[2];
  std::unique_ptr<Health::Stub> stub_;
};

TEST_P(HealthServiceTest, CheckFollowsTheState) {
  EXPECT_EQ(Check(""), HealthCheckResponse::NOT_SERVING);
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  EXPECT_EQ(Check(""), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check("pkg.Service"), HealthCheckResponse::SERVING);
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kLeaving).ok());
  EXPECT_EQ(Check("pkg.Service"), HealthCheckResponse::NOT_SERVING);
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kDraining).ok());
  EXPECT_EQ(Check("pkg.Service"), HealthCheckResponse::NOT_SERVING);
}

TEST_P(HealthServiceTest, UnknownServiceIsNotFound) {
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  EXPECT_EQ(Check("pkg.Other"), HealthCheckResponse::SERVICE_UNKNOWN);
}

TEST_P(HealthServiceTest, ListHasTheStateOfAllThatThereIs) {
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  mnist_served_ = false;
  grpc::ClientContext context;
  grpc::health::v1::HealthListResponse response;
  const grpc::Status status = stub_->List(&context, {}, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  std::map<std::string, int> states;
  for (const auto& [name, state] : response.statuses()) states[name] = state.status();
  EXPECT_EQ(states, (std::map<std::string, int>{
                        {"", HealthCheckResponse::SERVING},
                        {"pkg.Service", HealthCheckResponse::SERVING},
                        {"models/mnist", HealthCheckResponse::NOT_SERVING},
                        {"models/mnist/versions/2", HealthCheckResponse::NOT_SERVING},
                        {"models/a/versions/b", HealthCheckResponse::SERVING}}));
}

TEST_P(HealthServiceTest, ModelsAndTheirVersionsHaveStates) {
  EXPECT_EQ(Check("models/mnist"), HealthCheckResponse::NOT_SERVING);
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  EXPECT_EQ(Check("models/mnist"), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check("models/mnist/versions/2"), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check("models/a/versions/b"), HealthCheckResponse::SERVING);
  for (const std::string unknown :
       {"models/", "models", "mnist", "models/letters", "models/mnist/versions/3",
        "models/mnist/versions/", "models//versions/2", "models/mnist/2"}) {
    EXPECT_EQ(Check(unknown), HealthCheckResponse::SERVICE_UNKNOWN) << unknown;
  }
  mnist_served_ = false;
  EXPECT_EQ(Check("models/mnist"), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Check("models/mnist/versions/2"), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(Check(""), HealthCheckResponse::SERVING);
}

TEST_P(HealthServiceTest, WatchersOfAModelAreTold) {
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  const auto watching = Watch("models/mnist/versions/2");
  EXPECT_EQ(watching->Next(), HealthCheckResponse::SERVING);
  mnist_served_ = false;
  health_.OnModelsChanged();
  EXPECT_EQ(watching->Next(), HealthCheckResponse::NOT_SERVING);
  mnist_served_ = true;
  health_.OnModelsChanged();
  EXPECT_EQ(watching->Next(), HealthCheckResponse::SERVING);
}

TEST_P(HealthServiceTest, WatchTellsTheStateAtOnceAndEachChange) {
  const auto all = Watch("");
  const auto one = Watch("pkg.Service");
  EXPECT_EQ(all->Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(one->Next(), HealthCheckResponse::NOT_SERVING);
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  EXPECT_EQ(all->Next(), HealthCheckResponse::SERVING);
  EXPECT_EQ(one->Next(), HealthCheckResponse::SERVING);
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kLeaving).ok());
  EXPECT_EQ(all->Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(one->Next(), HealthCheckResponse::NOT_SERVING);
  // No change for a watcher, so nothing is written: the stream ends after what was read.
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kDraining).ok());
  for (const auto* const watching : {all.get(), one.get()}) {
    HealthCheckResponse response;
    EXPECT_FALSE(watching->reader->Read(&response));
    EXPECT_EQ(watching->reader->Finish().error_message(), "server is draining");
  }
}

TEST_P(HealthServiceTest, WatchersOfAServerThatDrainsAtOnceAreToldBeforeTheEnd) {
  const auto watching = Watch("");
  EXPECT_EQ(watching->Next(), HealthCheckResponse::NOT_SERVING);
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  EXPECT_EQ(watching->Next(), HealthCheckResponse::SERVING);
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kDraining).ok());
  EXPECT_EQ(watching->Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(watching->reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

// gRPC's clients begin the next watch at once if the last one had a response, and else later.
TEST_P(HealthServiceTest, AWatchThatBeginsWhileTheServerDrainsEndsWithoutAResponse) {
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kDraining).ok());
  const auto watching = Watch("");
  HealthCheckResponse response;
  EXPECT_FALSE(watching->reader->Read(&response));
  EXPECT_EQ(watching->reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_P(HealthServiceTest, WatchOfAnUnknownServiceSaysSoAndStays) {
  const auto watching = Watch("pkg.Other");
  EXPECT_EQ(watching->Next(), HealthCheckResponse::SERVICE_UNKNOWN);
  watching->context.TryCancel();
  EXPECT_EQ(watching->reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_P(HealthServiceTest, EveryWatcherIsToldEveryChange) {
  std::vector<std::unique_ptr<Watching>> watchers;
  for (int i = 0; i < 50; ++i) {
    watchers.push_back(Watch(""));
    EXPECT_EQ(watchers.back()->Next(), HealthCheckResponse::NOT_SERVING);
  }
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  for (const auto& watcher : watchers) EXPECT_EQ(watcher->Next(), HealthCheckResponse::SERVING);
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kDraining).ok());
  for (const auto& watcher : watchers) EXPECT_EQ(watcher->Next(), HealthCheckResponse::NOT_SERVING);
}

TEST_P(HealthServiceTest, WatchersThatAreThereAtTheEndAreSentAway) {
  const auto watching = Watch("");
  EXPECT_EQ(watching->Next(), HealthCheckResponse::NOT_SERVING);
  transport_->Stop(absl::ZeroDuration());
  HealthCheckResponse response;
  EXPECT_FALSE(watching->reader->Read(&response));
  EXPECT_FALSE(watching->reader->Finish().ok());
}

INSTANTIATE_TEST_SUITE_P(All, HealthServiceTest, ::testing::Values("grpc", "http2"),
                         testing::TransportName);

}  // namespace
}  // namespace hellocnn::server
