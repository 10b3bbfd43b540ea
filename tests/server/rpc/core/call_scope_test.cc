#include "server/rpc/core/call_scope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "server/observability/logging/logging.h"
#include "server/observability/logging/request_log.h"
#include "server/serving/lifecycle.h"
#include "server/serving/model_registry.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/fake_transport.h"
#include "tests/testing/model_card.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;

constexpr MethodId kMethod{3};
constexpr ModelId kModel{5};

// Keeps what it is told, in order.
class RecordingEvents final : public IgnoredEvents {
 public:
  ReasonId AddReason(ReasonOf what, const std::string& label) override {
    if (what != ReasonOf::kRejection) return {};
    reasons_.push_back(label);
    return ReasonId{reasons_.size() - 1};
  }
  bool wants_statistics() const override { return true; }
  void OnReceived(MethodId method, std::size_t bytes) override {
    EXPECT_EQ(method, kMethod);
    told.push_back("received " + std::to_string(bytes));
  }
  void OnAccepted(MethodId /*method*/, ModelId model, int images) override {
    EXPECT_EQ(model, kModel);
    told.push_back("accepted " + std::to_string(images));
  }
  void OnRejected(MethodId method, ModelId model, ReasonId reason) override {
    EXPECT_EQ(method, kMethod);
    EXPECT_EQ(model, wanted_model);
    told.push_back("rejected " + reasons_[static_cast<std::size_t>(reason)]);
  }
  void OnEnd(const RequestEnd& end) override {
    EXPECT_EQ(end.method, kMethod);
    EXPECT_EQ(end.model, wanted_model);
    told.push_back(absl::StatusCodeToString(end.code) + " after " +
                   absl::FormatDuration(end.duration) + ", bytes " +
                   std::to_string(end.sent_bytes) + ", sent " + std::to_string(end.sent_images) +
                   ", discarded " + std::to_string(end.discarded_images) + ", confidences " +
                   std::to_string(end.confidences.size()));
  }
  std::vector<std::string> told;
  ModelId wanted_model = kNoModel;  // of the request that is under way

 private:
  std::vector<std::string> reasons_;
};

const std::array<ImageView, 2> kImages{};
const std::array<float, 20> kLogProbabilities{};
const ComputedRequest kComputed = {
    .images = kImages,
    .log_probabilities = kLogProbabilities,
    .timing = {
        .queue = absl::Milliseconds(2), .compute = absl::Milliseconds(3), .largest_batch = 2}};

class CallScopeTest : public ::testing::Test {
 protected:
  void Begin(std::size_t bytes) {
    scope_.Begin(&accounting_, {kMethod, "Classify"}, clock_.Now() + absl::Seconds(1), bytes);
    events_.wanted_model = kNoModel;
  }
  // From now on the request is for a model.
  void Use() {
    scope_.Use({.responds = std::make_shared<const Servable>(testing::DigitsCard(), "fake", kModel,
                                                             nullptr, nullptr)});
    events_.wanted_model = kModel;
  }

  RecordingEvents events_;
  testing::FakeClock clock_;
  Accounting accounting_{&events_, &clock_};
  testing::FakeUnaryRpc rpc_;
  CallScope scope_;
};

TEST_F(CallScopeTest, RequestThatIsAnswered) {
  Begin(100);
  EXPECT_EQ(scope_.start(), clock_.Now());
  EXPECT_EQ(scope_.deadline(), clock_.Now() + absl::Seconds(1));
  Use();
  scope_.OnAccepted(2);
  scope_.OnComputed(kComputed);
  clock_.Advance(absl::Milliseconds(5));
  scope_.OnReady(absl::OkStatus(), rpc_);
  clock_.Advance(absl::Milliseconds(5));  // the client takes its time, which is not the server's
  scope_.End(70);
  EXPECT_THAT(events_.told,
              ElementsAre("received 100", "accepted 2",
                          "OK after 5ms, bytes 70, sent 2, discarded 0, confidences 2"));
}

TEST_F(CallScopeTest, RequestThatIsRejected) {
  Begin(100);
  scope_.OnRejected(RejectionReason::kQueueFull);
  scope_.OnReady(absl::ResourceExhaustedError("full"), rpc_);
  scope_.End(0);
  EXPECT_THAT(
      events_.told,
      ElementsAre("received 100", "rejected queue_full",
                  "RESOURCE_EXHAUSTED after 0, bytes 0, sent 0, discarded 0, confidences 0"));
}

TEST_F(CallScopeTest, RequestThatIsRejectedCountsForTheModelThatItHasFound) {
  Begin(100);
  Use();
  scope_.OnRejected(RejectionReason::kQueueFull);
  scope_.OnReady(absl::ResourceExhaustedError("full"), rpc_);
  scope_.End(0);
  Begin(100);
  scope_.OnRejected(RejectionReason::kInvalid);
  scope_.OnReady(absl::InvalidArgumentError("bad"), rpc_);
  scope_.End(0);
  EXPECT_EQ(events_.told.size(), 6u);
}

TEST_F(CallScopeTest, ImagesOfACallerWhoHasGoneAreDiscarded) {
  Begin(100);
  Use();
  scope_.OnAccepted(2);
  scope_.OnComputed(kComputed);
  scope_.OnReady(absl::OkStatus(), rpc_);
  scope_.EndGone(absl::StatusCode::kCancelled);
  EXPECT_THAT(events_.told,
              ElementsAre("received 100", "accepted 2",
                          "CANCELLED after 0, bytes 0, sent 0, discarded 2, confidences 0"));
}

TEST_F(CallScopeTest, NothingOfARequestIsLeftForTheNextOne) {
  Begin(100);
  Use();
  scope_.OnComputed(kComputed);
  clock_.Advance(absl::Milliseconds(5));
  scope_.OnReady(absl::InternalError("broken"), rpc_);
  scope_.End(70);
  events_.told.clear();
  Begin(1);
  scope_.End(0);
  EXPECT_THAT(events_.told,
              ElementsAre("received 1", "OK after 0, bytes 0, sent 0, discarded 0, confidences 0"));
}

TEST_F(CallScopeTest, CallKeepsItsPlaceInTheServerUntilItHasEnded) {
  Lifecycle lifecycle;
  Admission admission(&lifecycle, &clock_);
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kServing).ok());
  Begin(100);
  scope_.Hold(std::get<Admission::Ticket>(admission.Enter()));
  ASSERT_TRUE(lifecycle.Enter(LifecycleState::kDraining).ok());
  EXPECT_FALSE(admission.WaitUntilIdle(Instant::InfinitePast()));
  scope_.End(0);
  EXPECT_TRUE(admission.WaitUntilIdle(Instant::InfinitePast()));
}

TEST_F(CallScopeTest, RequestKeepsItsModelUntilItHasEnded) {
  auto servable =
      std::make_shared<const Servable>(testing::DigitsCard(), "fake", kModel, nullptr, nullptr);
  Begin(100);
  scope_.Use({.responds = servable});
  events_.wanted_model = kModel;
  EXPECT_EQ(&scope_.servable(), servable.get());
  EXPECT_EQ(servable.use_count(), 2);
  scope_.End(0);
  EXPECT_EQ(servable.use_count(), 1);
}

TEST_F(CallScopeTest, TheLogKnowsWhatTheCallerSentAndHowLongItTook) {
  RequestLog log({.slow = absl::Milliseconds(5)}, &clock_);
  accounting_.log = &log;
  rpc_.set_metadata("x-request-id", "r-1");
  rpc_.set_metadata("traceparent", "00-ab-cd-01");
  ::testing::internal::CaptureStderr();
  auto logging = Logging::Start("info", "text");
  ASSERT_TRUE(logging.ok());
  Begin(100);
  Use();
  scope_.OnAccepted(2);
  scope_.OnComputed(kComputed);
  clock_.Advance(absl::Milliseconds(5));
  scope_.OnReady(absl::OkStatus(), rpc_);
  scope_.End(70);
  Begin(100);  // has nothing of the last one
  scope_.OnRejected(RejectionReason::kQueueFull);
  scope_.OnReady(absl::ResourceExhaustedError("the queue is full"), rpc_);
  scope_.End(0);
  Begin(100);
  scope_.OnReady(absl::OkStatus(), rpc_);  // too fast for the log
  scope_.End(70);
  logging->reset();
  const std::string lines = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(
      lines,
      ::testing::MatchesRegex(
          "[^ ]+ info slow request method=Classify code=OK duration_ms=5.0 queue_ms=2.0 "
          "compute_ms=3.0 images=2 peer=10.0.0.1 request_id=r-1 traceparent=00-ab-cd-01\n"
          "[^ ]+ info request rejected method=Classify code=RESOURCE_EXHAUSTED reason=queue_full "
          "duration_ms=0.0 images=0 peer=10.0.0.1 request_id=r-1 traceparent=00-ab-cd-01 "
          "status_message=\"the queue is full\"\n"))
      << lines;
}

}  // namespace
}  // namespace hellocnn::server
