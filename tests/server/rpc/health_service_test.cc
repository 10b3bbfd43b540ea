#include "server/rpc/health_service.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "server/rpc/completion_events.h"
#include "server/serving/lifecycle.h"

namespace hellocnn::server {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class HealthServiceTest : public ::testing::Test {
 protected:
  HealthServiceTest() : health_({"pkg.Service"}, &lifecycle_) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&health_);
    events_ = std::make_unique<CompletionEvents>(builder.AddCompletionQueue());
    server_ = builder.BuildAndStart();
    health_.Listen(events_.get());
    for (std::thread& thread : threads_) thread = std::thread([this] { HandleEvents(); });
    stub_ = Health::NewStub(grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                                grpc::InsecureChannelCredentials()));
  }
  ~HealthServiceTest() override {
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    events_->Close();
    for (std::thread& thread : threads_) thread.join();
  }

  void HandleEvents() {
    EventQueue::Event event;
    while (true) {
      const EventQueue::Got got = events_->Wait(Instant::InfiniteFuture(), &event);
      if (got == EventQueue::Got::kEnd) return;
      if (got == EventQueue::Got::kEvent) events_->Handle(event);
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
  HealthService health_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<CompletionEvents> events_;
  std::thread threads_[2];
  std::unique_ptr<Health::Stub> stub_;
};

TEST_F(HealthServiceTest, CheckFollowsTheState) {
  EXPECT_EQ(Check(""), HealthCheckResponse::NOT_SERVING);
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  EXPECT_EQ(Check(""), HealthCheckResponse::SERVING);
  EXPECT_EQ(Check("pkg.Service"), HealthCheckResponse::SERVING);
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kDraining).ok());
  EXPECT_EQ(Check("pkg.Service"), HealthCheckResponse::NOT_SERVING);
}

TEST_F(HealthServiceTest, UnknownServiceIsNotFound) {
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  EXPECT_EQ(Check("pkg.Other"), HealthCheckResponse::SERVICE_UNKNOWN);
}

TEST_F(HealthServiceTest, WatchTellsTheStateAtOnceAndEachChange) {
  const auto all = Watch("");
  const auto one = Watch("pkg.Service");
  EXPECT_EQ(all->Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(one->Next(), HealthCheckResponse::NOT_SERVING);
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  EXPECT_EQ(all->Next(), HealthCheckResponse::SERVING);
  EXPECT_EQ(one->Next(), HealthCheckResponse::SERVING);
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kDraining).ok());
  EXPECT_EQ(all->Next(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(one->Next(), HealthCheckResponse::NOT_SERVING);
  // No change for a watcher, so nothing is written: the stream ends after what was read.
  ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kStopped).ok());
  server_->Shutdown(std::chrono::system_clock::now());
  HealthCheckResponse response;
  EXPECT_FALSE(all->reader->Read(&response));
  EXPECT_FALSE(one->reader->Read(&response));
}

TEST_F(HealthServiceTest, WatchOfAnUnknownServiceSaysSoAndStays) {
  const auto watching = Watch("pkg.Other");
  EXPECT_EQ(watching->Next(), HealthCheckResponse::SERVICE_UNKNOWN);
  watching->context.TryCancel();
  EXPECT_EQ(watching->reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(HealthServiceTest, EveryWatcherIsToldEveryChange) {
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

TEST_F(HealthServiceTest, WatchersThatAreThereAtTheEndAreSentAway) {
  const auto watching = Watch("");
  EXPECT_EQ(watching->Next(), HealthCheckResponse::NOT_SERVING);
  server_->Shutdown(std::chrono::system_clock::now());
  HealthCheckResponse response;
  EXPECT_FALSE(watching->reader->Read(&response));
  EXPECT_FALSE(watching->reader->Finish().ok());
}

}  // namespace
}  // namespace hellocnn::server
