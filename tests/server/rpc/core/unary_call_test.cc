#include "server/rpc/core/unary_call.h"

#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error_details.h"
#include "server/rpc/errors/error_trailers.h"
#include "tests/server/rpc/core/call_fixture.h"
#include "tests/testing/plain_status.h"

namespace hellocnn::server {
namespace {

using ::hellocnn::testing::FakeUnaryRpc;
using ::hellocnn::testing::Plain;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using Call = UnaryCall<ClassifyCodec>;

class UnaryCallTest : public CallTest {
 protected:
  std::unique_ptr<FakeUnaryRpc> MakeRpc() {
    auto rpc = std::make_unique<FakeUnaryRpc>();
    rpc->set_handler(std::make_unique<Call>(&context_, method_, rpc.get()));
    return rpc;
  }
  static std::string Request(const std::vector<int>& pixels) {
    return RequestOf<v1::ClassifyRequest>(pixels).SerializeAsString();
  }
  // Makes a call and returns the classes of its images.
  static std::vector<int> Classes(FakeUnaryRpc& rpc, const std::vector<int>& pixels) {
    rpc.Call(Request(pixels));
    const FakeUnaryRpc::End end = rpc.WaitUntilOver();
    EXPECT_TRUE(end.status.ok()) << end.status;
    v1::ClassifyResponse response;
    EXPECT_TRUE(response.ParseFromString(end.response));
    std::vector<int> classes;
    for (const v1::Prediction& prediction : response.predictions()) {
      classes.push_back(prediction.class_index());
    }
    return classes;
  }
};

TEST_F(UnaryCallTest, AHandlerServesOneCallAfterAnother) {
  Serve(1);
  const auto rpc = MakeRpc();
  for (int i = 0; i < 120; ++i)
    EXPECT_THAT(Classes(*rpc, {i, i + 1}), ElementsAre(i % 10, (i + 1) % 10));
  EXPECT_EQ(metrics_.requests().size(), 120U);
  EXPECT_EQ(metrics_.sent_images(), 240);
}

TEST_F(UnaryCallTest, CallsOfManyThreadsGetTheirOwnResponses) {
  Serve(3);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {  // as many images at a time as the queue holds
    threads.emplace_back([this, t] {
      const auto rpc = MakeRpc();
      for (int i = 0; i < 100; ++i)
        EXPECT_THAT(Classes(*rpc, {10 * t + i % 7}), ElementsAre(i % 7));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(metrics_.sent_images(), 300);
}

TEST_F(UnaryCallTest, ACallThatIsRejectedFinishesInline) {
  const auto rpc = MakeRpc();
  rpc->Call(Request({1}));
  EXPECT_EQ(Plain(rpc->WaitUntilOver().status), absl::UnavailableError("the model is loading"));
  Serve(1);
  rpc->Call(Request({1}) + std::string(2, '\0'));
  const absl::Status malformed = rpc->WaitUntilOver().status;
  EXPECT_EQ(malformed.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(malformed.message(), HasSubstr("bytes that are no hellocnn.v1.ClassifyRequest"));
  rpc->Call("");
  EXPECT_EQ(Plain(rpc->WaitUntilOver().status),
            absl::InvalidArgumentError("images has 0 images; wanted 1 to 6"));
  EXPECT_THAT(metrics_.rejections(), ElementsAre("loading", "invalid", "invalid"));
  EXPECT_THAT(Classes(*rpc, {4}), ElementsAre(4));  // nothing of them is left
}

TEST_F(UnaryCallTest, AFullQueueGivesABackoff) {
  Serve(1);
  engines_.Hold();
  const auto computed = MakeRpc();
  computed->Call(Request({1}));
  engines_.WaitUntilHeld(1);
  const auto first = MakeRpc();
  const auto second = MakeRpc();
  first->Call(Request({1, 2, 3, 4, 5, 6}));
  second->Call(Request({1, 2, 3}));
  const FakeUnaryRpc::End end = second->WaitUntilOver();
  EXPECT_EQ(end.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(end.status), "queue_full");
  EXPECT_EQ(RetryDelay(end.status), absl::Milliseconds(100));
  engines_.Release();
  EXPECT_TRUE(first->WaitUntilOver().status.ok());
  EXPECT_TRUE(computed->WaitUntilOver().status.ok());
}

TEST_F(UnaryCallTest, ACallMayBeDisplacedByThatOfAnotherCaller) {
  Serve(1);
  engines_.Hold();
  const auto computed = MakeRpc();
  computed->Call(Request({1}));
  engines_.WaitUntilHeld(1);
  const auto older = MakeRpc();
  const auto newer = MakeRpc();
  older->Call(Request({1, 2, 3, 4, 5}));
  newer->Call(Request({1, 2, 3}));
  const auto other = MakeRpc();
  other->set_caller(1);
  other->Call(Request({7}));
  engines_.Release();
  const FakeUnaryRpc::End end = newer->WaitUntilOver();
  EXPECT_EQ(end.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryDelay(end.status), absl::Milliseconds(100));
  EXPECT_TRUE(older->WaitUntilOver().status.ok());
  EXPECT_TRUE(other->WaitUntilOver().status.ok());
  EXPECT_EQ(metrics_.dropped("displaced"), 3);
  EXPECT_THAT(metrics_.rejections(), ::testing::IsEmpty());
}

TEST_F(UnaryCallTest, ALowPriorityMakesRoom) {
  Serve(1);
  engines_.Hold();
  const auto computed = MakeRpc();
  computed->Call(Request({1}));
  engines_.WaitUntilHeld(1);
  auto request = RequestOf<v1::ClassifyRequest>({1, 2, 3, 4});
  request.set_priority(v1::PRIORITY_LOW);
  const auto low = MakeRpc();
  const auto lower = MakeRpc();
  low->Call(request.SerializeAsString());
  lower->Call(request.SerializeAsString());
  const auto normal = MakeRpc();
  normal->Call(Request({1}));
  engines_.Release();
  EXPECT_EQ(lower->WaitUntilOver().status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(low->WaitUntilOver().status.ok());
  EXPECT_TRUE(normal->WaitUntilOver().status.ok());
}

TEST_F(UnaryCallTest, ACancelledCallIsDroppedAndCountsAsCancelled) {
  Serve(1);
  engines_.Hold();
  const auto computed = MakeRpc();
  const auto cancelled = MakeRpc();
  computed->Call(Request({1}));
  engines_.WaitUntilHeld(1);
  cancelled->Call(Request({2}));
  cancelled->Cancel();
  engines_.Release();
  EXPECT_EQ(cancelled->WaitUntilOver().status.code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(computed->WaitUntilOver().status.ok());
  EXPECT_THAT(metrics_.requests(),
              ::testing::UnorderedElementsAre(Pair("Method", absl::StatusCode::kOk),
                                              Pair("Method", absl::StatusCode::kCancelled)));
  EXPECT_EQ(engines_.calls(), 1);
  EXPECT_THAT(Classes(*cancelled, {7}), ElementsAre(7));  // nothing of the cancellation is left
}

}  // namespace
}  // namespace hellocnn::server
