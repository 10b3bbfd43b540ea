#include "server/rpc/classifier_v1/classifier_service.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include <algorithm>

#include "base/clock.h"
#include "tests/server/rpc/service_fixture.h"

namespace hellocnn::server {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

using ClassifierServiceTest = ServiceTest;

TEST_P(ClassifierServiceTest, OneImageIsClassified) {
  Serve();
  v1::ClassifyResponse response;
  ASSERT_TRUE(Classify({13}, &response).ok());
  ASSERT_EQ(response.predictions_size(), 1);
  EXPECT_EQ(response.predictions(0).class_index(), 3);
  EXPECT_EQ(response.predictions(0).label(), "3");
  EXPECT_EQ(response.predictions(0).log_probabilities_size(), 10);
  EXPECT_EQ(response.model().name(), "mnist");
  EXPECT_EQ(response.timing().batch_size(), 1);
  metrics_.WaitUntilIdle();
  EXPECT_THAT(metrics_.requests(), ElementsAre(Pair("Classify", absl::StatusCode::kOk)));
  EXPECT_EQ(metrics_.accepted(), 1);
  EXPECT_EQ(metrics_.sent_images(), 1);
  EXPECT_EQ(metrics_.received_bytes(), RequestOf({13}).ByteSizeLong());
  EXPECT_EQ(metrics_.sent_bytes(), response.ByteSizeLong());
}

TEST_P(ClassifierServiceTest, BytesThatAreNoRequestAreInvalidAndCounted) {
  Serve();
  // A good image, and then a field of the number 0, which there is not.
  const std::string bytes = RequestOf({13}).SerializeAsString() + std::string(2, '\0');
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel_);
  const auto call =
      stub.PrepareUnaryCall(&context, "/hellocnn.v1.ClassifierService/Classify", request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr(std::to_string(bytes.size()) +
                                                " bytes that are no hellocnn.v1.ClassifyRequest"));
  metrics_.WaitUntilIdle();
  EXPECT_THAT(metrics_.requests(),
              ElementsAre(Pair("Classify", absl::StatusCode::kInvalidArgument)));
  EXPECT_THAT(metrics_.rejections(), ElementsAre("invalid"));
  EXPECT_EQ(metrics_.received_bytes(), bytes.size());
}

TEST_P(ClassifierServiceTest, RequestLargerThanABatchIsSplitAndAnsweredInOrder) {
  Serve(2);
  v1::ClassifyResponse response;
  ASSERT_TRUE(Classify({9, 8, 7, 6, 5, 4}, &response).ok());
  ASSERT_EQ(response.predictions_size(), 6);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(response.predictions(i).class_index(), 9 - i);
  EXPECT_LE(response.timing().batch_size(), kMaxBatch);
}

TEST_P(ClassifierServiceTest, ConcurrentCallsGetTheirOwnAnswers) {
  Serve(2);
  std::vector<std::thread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([this, client] {
      for (int i = 0; i < 50; ++i) {
        const int pixel = (client * 50 + i) % 128;
        v1::ClassifyResponse response;
        ASSERT_TRUE(Classify({pixel}, &response).ok());
        EXPECT_EQ(response.predictions(0).class_index(), pixel % 10);
      }
    });
  }
  for (std::thread& client : clients) client.join();
}

TEST_P(ClassifierServiceTest, InvalidRequestIsRefused) {
  Serve();
  v1::ClassifyResponse response;
  const grpc::Status status = Classify({}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "images has 0 images; wanted 1 to 6");
  metrics_.WaitUntilIdle();
  EXPECT_THAT(metrics_.requests(),
              ElementsAre(Pair("Classify", absl::StatusCode::kInvalidArgument)));
  EXPECT_THAT(metrics_.rejections(), ElementsAre("invalid"));
  EXPECT_EQ(metrics_.accepted(), 0);
  EXPECT_EQ(metrics_.sent_bytes(), 0);
}

TEST_P(ClassifierServiceTest, UnavailableUntilReady) {
  v1::ClassifyResponse response;
  EXPECT_EQ(Classify({1}, &response).error_code(), grpc::StatusCode::UNAVAILABLE);
  grpc::ClientContext context;
  v1::GetModelResponse model;
  EXPECT_EQ(stub_->GetModel(&context, {}, &model).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(metrics_.rejections(), ElementsAre("loading", "loading"));
  Serve();
  EXPECT_TRUE(Classify({1}, &response).ok());
}

TEST_P(ClassifierServiceTest, GetModelTellsModelAndLimits) {
  Serve();
  grpc::ClientContext context;
  v1::GetModelResponse model;
  ASSERT_TRUE(stub_->GetModel(&context, {}, &model).ok());
  EXPECT_EQ(model.model().parameter_count(), 61'706);
  EXPECT_EQ(model.limits().max_images_per_request(), kMaxImages);
}

TEST_P(ClassifierServiceTest, RequestsMayNameTheModelAndItsVersion) {
  Serve();
  const std::string name = registry_.Default().value()->name();
  const std::string version = registry_.Default().value()->version();
  const auto code = [this](const std::string& model, const std::string& number) {
    v1::ClassifyRequest request = RequestOf({1});
    request.mutable_model()->set_name(model);
    request.mutable_model()->set_version(number);
    v1::ClassifyResponse response;
    grpc::ClientContext context;
    return stub_->Classify(&context, request, &response).error_code();
  };
  EXPECT_EQ(code(name, ""), grpc::StatusCode::OK);
  EXPECT_EQ(code(name, version), grpc::StatusCode::OK);
  EXPECT_EQ(code("", version), grpc::StatusCode::OK);
  EXPECT_EQ(code("other", ""), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(code(name, "77"), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(metrics_.rejections(), ElementsAre("no_model", "no_model"));

  v1::GetModelRequest wanted;
  wanted.mutable_model()->set_name("other");
  v1::GetModelResponse model;
  grpc::ClientContext context;
  const grpc::Status status = stub_->GetModel(&context, wanted, &model);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_FALSE(status.error_details().empty());
}

TEST_P(ClassifierServiceTest, ListModelsTellsWhatHasBecomeOfEachVersion) {
  Serve();
  const ServableHandle served = registry_.Default().value();
  statuses_ = {{"broken", "1", ModelStatus::State::kFailed, "no weights\n"},
               {served->name(), served->version(), ModelStatus::State::kServing, ""}};
  v1::ListModelsResponse response;
  grpc::ClientContext context;
  ASSERT_TRUE(stub_->ListModels(&context, {}, &response).ok());
  ASSERT_EQ(response.models_size(), 2);
  EXPECT_EQ(response.models(0).version().name(), "broken");
  EXPECT_EQ(response.models(0).state(), v1::ModelStatus::STATE_FAILED);
  EXPECT_EQ(response.models(0).reason(), "no weights\\n");
  EXPECT_FALSE(response.models(0).is_current());
  EXPECT_FALSE(response.models(0).is_default());
  EXPECT_EQ(response.models(1).state(), v1::ModelStatus::STATE_SERVING);
  EXPECT_TRUE(response.models(1).is_current());
  EXPECT_TRUE(response.models(1).is_default());
}

TEST_P(ClassifierServiceTest, DeadlineWhileQueuedIsDeadlineExceededAndNotComputed) {
  Serve();
  std::thread occupant = OccupyEngine();
  constexpr absl::Duration kTimeout = absl::Milliseconds(300);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(kTimeout));
  std::thread call([&] {
    v1::ClassifyResponse response;
    EXPECT_EQ(stub_->Classify(&context, RequestOf({2}), &response).error_code(),
              grpc::StatusCode::DEADLINE_EXCEEDED);
  });
  WaitUntilQueued(1);
  // The time that is left goes over the wire, rounded up: the server's deadline is later than the
  // client's.
  const Instant past = Clock::Monotonic()->Now() + kTimeout * 1.1;
  call.join();
  while (Clock::Monotonic()->Now() < past)
    std::this_thread::yield();  // what is under test is that time passes
  engines_.Release();
  occupant.join();
  Drain();
  EXPECT_TRUE(admission_.WaitUntilIdle(Instant::InfiniteFuture()));
  EXPECT_EQ(engines_.calls(), 1);
  EXPECT_THAT(metrics_.requests(), Contains(Pair("Classify", absl::StatusCode::kDeadlineExceeded)));
}

TEST_P(ClassifierServiceTest, CancelledCallIsDroppedBeforeCompute) {
  Serve();
  std::thread occupant = OccupyEngine();
  grpc::ClientContext context;
  std::thread call([&] {
    v1::ClassifyResponse response;
    EXPECT_EQ(stub_->Classify(&context, RequestOf({2}), &response).error_code(),
              grpc::StatusCode::CANCELLED);
  });
  WaitUntilQueued(1);
  context.TryCancel();
  call.join();
  WaitUntilServerHasSeenAll();
  engines_.Release();
  occupant.join();
  Drain();
  EXPECT_TRUE(admission_.WaitUntilIdle(Instant::InfiniteFuture()));
  EXPECT_EQ(engines_.calls(), 1);
  EXPECT_THAT(metrics_.requests(), Contains(Pair("Classify", absl::StatusCode::kCancelled)));
}

TEST_P(ClassifierServiceTest, CallThatIsCancelledWhileItIsComputedCountsAsCancelledAndAbandoned) {
  Serve();
  engines_.Hold();
  grpc::ClientContext context;
  std::thread call([&] {
    v1::ClassifyResponse response;
    EXPECT_EQ(stub_->Classify(&context, RequestOf({2}), &response).error_code(),
              grpc::StatusCode::CANCELLED);
  });
  engines_.WaitUntilHeld(1);
  context.TryCancel();
  call.join();
  WaitUntilServerHasSeenAll();
  engines_.Release();
  Drain();
  EXPECT_TRUE(admission_.WaitUntilIdle(Instant::InfiniteFuture()));
  EXPECT_THAT(metrics_.requests(), Contains(Pair("Classify", absl::StatusCode::kCancelled)));
  EXPECT_EQ(metrics_.accepted(), 1);
  EXPECT_EQ(metrics_.sent_images(), 0);
  EXPECT_EQ(metrics_.discarded(), 1);
}

TEST_P(ClassifierServiceTest, FullQueueIsResourceExhaustedWithPushback) {
  Serve();
  std::thread occupant = OccupyEngine();
  std::thread queued([this] {
    v1::ClassifyResponse response;
    EXPECT_TRUE(Classify({1, 2, 3, 4, 5, 6}, &response).ok());
  });
  WaitUntilQueued(6);
  grpc::ClientContext context;
  v1::ClassifyResponse response;
  EXPECT_EQ(stub_->Classify(&context, RequestOf({1, 2, 3}), &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(context.GetServerTrailingMetadata(),
              Contains(Pair(grpc::string_ref("grpc-retry-pushback-ms"), grpc::string_ref("100"))));
  EXPECT_EQ(context.GetServerTrailingMetadata().count("grpc-status-details-bin"), 1U);
  EXPECT_THAT(metrics_.rejections(), ElementsAre("queue_full"));
  EXPECT_EQ(metrics_.accepted(), 1 + 6);
  engines_.Release();
  occupant.join();
  queued.join();
}

TEST_P(ClassifierServiceTest, FailingEngineIsInternal) {
  Serve();
  engines_.Fail(absl::InternalError("broken"));
  v1::ClassifyResponse response;
  EXPECT_EQ(Classify({1}, &response).error_code(), grpc::StatusCode::INTERNAL);
  engines_.Fail(absl::OkStatus());
  EXPECT_TRUE(Classify({1}, &response).ok());
}

TEST_P(ClassifierServiceTest, DrainAnswersWhatWasAcceptedAndRefusesTheRest) {
  Serve();
  std::thread occupant = OccupyEngine();
  Drain();
  v1::ClassifyResponse response;
  const grpc::Status status = Classify({1}, &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(status.error_message(), "server is draining");
  EXPECT_THAT(metrics_.rejections(), ElementsAre("draining"));
  EXPECT_FALSE(admission_.WaitUntilIdle(Instant::InfinitePast()));
  engines_.Release();
  occupant.join();
  EXPECT_TRUE(admission_.WaitUntilIdle(Instant::InfiniteFuture()));
}

INSTANTIATE_TEST_SUITE_P(All, ClassifierServiceTest, ::testing::Values("grpc", "http2"),
                         testing::TransportName);

}  // namespace
}  // namespace hellocnn::server
