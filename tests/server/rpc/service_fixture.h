// The service on each transport on a loopback port, with real workers and fake engines. Calls
// are received by threads of their own, not by these workers, so that they come in while
// engines are held.
#ifndef HELLOCNN_TESTS_SERVER_RPC_SERVICE_FIXTURE_H_
#define HELLOCNN_TESTS_SERVER_RPC_SERVICE_FIXTURE_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"
#include "server/rpc/classifier_v1/classifier_service.h"
#include "server/rpc/core/admission.h"
#include "server/rpc/core/call_scope.h"
#include "server/rpc/transport/transport.h"
#include "server/serving/lifecycle.h"
#include "server/serving/model_registry.h"
#include "server/serving/request_limits.h"
#include "tests/testing/fake_engine.h"
#include "tests/testing/model_card.h"
#include "tests/testing/quiet_events.h"
#include "tests/testing/recording_events.h"
#include "tests/testing/served_model.h"
#include "tests/testing/transports.h"

namespace hellocnn::server {

class ServiceTest : public ::testing::TestWithParam<std::string> {
 protected:
  static constexpr int kMaxBatch = 4;
  static constexpr int kCapacity = 8;
  static constexpr int kMaxImages = 6;

  ServiceTest() : transport_(testing::StartTransport(GetParam(), {service_.Describe()})) {
    for (int i = 0; i < kReceivers; ++i) receivers_.emplace_back([this] { Receive(); });
    channel_ = grpc::CreateChannel(transport_->address(), grpc::InsecureChannelCredentials());
    stub_ = v1::ClassifierService::NewStub(channel_);
  }

  ~ServiceTest() override {
    engines_.Release();
    Drain();
    transport_->Stop(absl::ZeroDuration());
    transport_->events()->Close();
    for (std::thread& receiver : receivers_) receiver.join();
    if (served_ != nullptr) served_->Drain();
  }

  void Serve(int threads = 1, int capacity = kCapacity) {
    auto model = testing::ServedModel::Start(
        threads, {.max_batch_size = kMaxBatch, .capacity = capacity}, engines_.Factory(),
        &worker_events_, {.events = &metrics_, .model = model_});
    ASSERT_TRUE(model.ok()) << model.status();
    served_ = *std::move(model);
    ASSERT_TRUE(registry_.Publish(served_->registry().Default().value()).ok());
    ASSERT_TRUE(lifecycle_.Enter(LifecycleState::kServing).ok());
  }

  // Idempotent.
  void Drain() { lifecycle_.Enter(LifecycleState::kDraining).IgnoreError(); }

  static RequestLimits Limits() {
    return {.max_images_per_request = kMaxImages,
            .max_batch_size = kMaxBatch,
            .queue_capacity = kCapacity};
  }

  // A request whose images have these first pixels.
  static v1::ClassifyRequest RequestOf(const std::vector<int>& pixels) {
    v1::ClassifyRequest request;
    for (int pixel : pixels) {
      request.add_images()->set_gray8(std::string(1024, static_cast<char>(pixel)));
    }
    return request;
  }

  static v1::ClassifyStreamRequest StreamRequestOf(std::uint64_t id,
                                                   const std::vector<int>& pixels) {
    v1::ClassifyStreamRequest request;
    request.set_id(id);
    *request.mutable_images() = RequestOf(pixels).images();
    return request;
  }

  grpc::Status Classify(const std::vector<int>& pixels, v1::ClassifyResponse* response) {
    grpc::ClientContext context;
    return stub_->Classify(&context, RequestOf(pixels), response);
  }

  // A call in the engine and `queued` images behind it. Runs until the engines are released; join
  // it.
  std::thread OccupyEngine() {
    engines_.Hold();
    std::thread call([this] {
      v1::ClassifyResponse response;
      EXPECT_TRUE(Classify({1}, &response).ok());
    });
    engines_.WaitUntilHeld(1);
    return call;
  }

  // Until `images` wait in the queue. There is no event to wait for: the network is in between.
  void WaitUntilQueued(int images) {
    while (served_->queued_images() != images) std::this_thread::yield();
  }

  // Calls on the same connection: the server sees what was sent before them first.
  void WaitUntilServerHasSeenAll() {
    for (int i = 0; i < 20; ++i) {
      grpc::ClientContext context;
      v1::GetModelResponse model;
      EXPECT_TRUE(stub_->GetModel(&context, {}, &model).ok());
    }
  }

  void Receive() {
    EventQueue::Event event;
    while (true) {
      const EventQueue::Got got = transport_->events()->Wait(Instant::InfiniteFuture(), &event);
      if (got == EventQueue::Got::kEnd) return;
      if (got == EventQueue::Got::kEvent) transport_->events()->Handle(event);
    }
  }

  static constexpr int kReceivers = 3;  // more than one, so that a call's events meet

  Lifecycle lifecycle_;
  testing::FakeEngines engines_;
  testing::QuietEvents worker_events_;
  testing::RecordingEvents metrics_;  // of the calls and of the workers
  const ModelId model_ = metrics_.AddModel({.name = "digits", .version = "1"});
  ModelRegistry registry_;
  std::vector<ModelStatus> statuses_;  // what ListModels tells
  std::unique_ptr<testing::ServedModel> served_;
  Admission admission_{&lifecycle_, Clock::Monotonic()};
  ClassifierService service_{Limits(), Accounting(&metrics_, Clock::Monotonic()), &admission_,
                             &registry_, [this] { return statuses_; }};
  const std::unique_ptr<Transport> transport_;
  std::vector<std::thread> receivers_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ClassifierService::Stub> stub_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_TESTS_SERVER_RPC_SERVICE_FIXTURE_H_
