// Checks that the warm load generator allocates nothing for a call beyond what gRPC itself
// allocates.
//
// The test counts calls of operator new on the thread that sends and handles, whether by the
// generator, gRPC or protobuf. A bare loop over gRPC shows how many of them are gRPC's. Memory that
// gRPC takes from malloc directly, such as that of its calls, is not counted.
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "loadgen/protocols/classify_protocol.h"
#include "loadgen/run/connect.h"
#include "loadgen/run/run.h"
#include "tests/client/fake_server.h"
#include "tests/testing/count_allocations.h"

namespace hellocnn::load {
namespace {

using ::hellocnn::client::FakeServer;
using ::hellocnn::testing::AllocationsPerEvent;

constexpr int kInFlight = 8;
constexpr int kCalls = AllocationsPerEvent::kWarmUp + AllocationsPerEvent::kEvents + 1;

// Judges as the real judge does, and counts.
class CountingJudge : public Judge {
 public:
  CountingJudge(std::unique_ptr<Judge> judge, AllocationsPerEvent* count)
      : judge_(std::move(judge)), count_(count) {}
  void Read(grpc::ByteBuffer& answer, Verdict& verdict) override {
    judge_->Read(answer, verdict);
    count_->OnEvent();
  }
  void Compare(std::size_t index, Verdict& verdict) override { judge_->Compare(index, verdict); }

 private:
  const std::unique_ptr<Judge> judge_;
  AllocationsPerEvent* const count_;
};

// The real protocol with the counting judge.
class CountingProtocol : public Protocol {
 public:
  CountingProtocol(std::unique_ptr<Protocol> protocol, AllocationsPerEvent* count)
      : protocol_(std::move(protocol)), count_(count) {}
  const std::string& method() const override { return protocol_->method(); }
  bool streaming() const override { return protocol_->streaming(); }
  std::size_t requests() const override { return protocol_->requests(); }
  int images_per_request() const override { return protocol_->images_per_request(); }
  bool has_labels() const override { return protocol_->has_labels(); }
  grpc::ByteBuffer Request(std::size_t index, std::uint64_t id) const override {
    return protocol_->Request(index, id);
  }
  std::unique_ptr<Judge> NewJudge() const override {
    return std::make_unique<CountingJudge>(protocol_->NewJudge(), count_);
  }

 private:
  const std::unique_ptr<Protocol> protocol_;
  AllocationsPerEvent* const count_;
};

class AllocationTest : public ::testing::Test {
 protected:
  std::unique_ptr<Protocol> MakeProtocol(bool streaming, AllocationsPerEvent* count) {
    Images images = GenerateImages(16, 1, {});
    images.labels.assign(16, 0);
    return std::make_unique<CountingProtocol>(
        ClassifyProtocol(images, {streaming, 1, std::chrono::seconds(30)}), count);
  }

  // Returns the allocations of the whole generator for each call or message.
  double GeneratorAllocations(bool streaming) {
    AllocationsPerEvent count;
    const auto protocol = MakeProtocol(streaming, &count);
    Plan plan;
    plan.in_flight = kInFlight;
    plan.limits.requests = kCalls;
    plan.timeout = std::chrono::seconds(30);
    const std::atomic<bool> stop = false;
    const Outcome outcome = Measure(plan, *protocol, Connection(), {}, stop);
    EXPECT_EQ(outcome.total.answered(), kCalls);
    return count.Get();
  }

  Channels Connection() {
    return Connect({.target = server_.target()}, 1, std::chrono::seconds(10), false).value();
  }

  FakeServer server_;
};

// Returns the allocations for each of kCalls unary calls, kInFlight at a time. Nothing is done with
// the responses.
double BareUnaryAllocations(const std::shared_ptr<grpc::Channel>& channel,
                            const Protocol& protocol) {
  struct Call {
    std::optional<grpc::ClientContext> context;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
    grpc::ByteBuffer answer;
    grpc::Status status;
  };
  grpc::CompletionQueue queue;
  grpc::GenericStub stub(channel);
  std::vector<Call> calls(kInFlight);
  const auto send = [&](Call& call) {
    call.context.emplace();
    call.context->set_deadline(gpr_time_from_seconds(30, GPR_TIMESPAN));
    call.reader =
        stub.PrepareUnaryCall(&*call.context, protocol.method(), protocol.Request(0, 0), &queue);
    call.reader->StartCall();
    call.reader->Finish(&call.answer, &call.status, &call);
  };
  for (Call& call : calls) send(call);
  AllocationsPerEvent count;
  for (int answers = 1; answers <= kCalls; ++answers) {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    Call& call = *static_cast<Call*>(tag);
    EXPECT_TRUE(call.status.ok());
    call.answer.Clear();
    count.OnEvent();
    send(call);
  }
  queue.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
  }
  return count.Get();
}

// Returns the allocations for each of kCalls messages on a stream, one at a time.
double BareStreamAllocations(const std::shared_ptr<grpc::Channel>& channel,
                             const Protocol& protocol) {
  grpc::CompletionQueue queue;
  const auto wait = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  grpc::ClientContext context;
  grpc::GenericStub stub(channel);
  const auto call = stub.PrepareCall(&context, protocol.method(), &queue);
  call->StartCall(nullptr);
  EXPECT_TRUE(wait());
  AllocationsPerEvent count;
  for (int answers = 1; answers <= kCalls; ++answers) {
    call->Write(protocol.Request(0, 1), nullptr);
    EXPECT_TRUE(wait());
    grpc::ByteBuffer answer;
    call->Read(&answer, nullptr);
    EXPECT_TRUE(wait());
    count.OnEvent();
  }
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  EXPECT_TRUE(wait());
  return count.Get();
}

TEST_F(AllocationTest, AUnaryCallAllocatesNothingBesidesGrpc) {
  AllocationsPerEvent unused;
  hellocnn::testing::ExpectAllocatesNoMore(
      [&] { return BareUnaryAllocations(Connection()[0], *MakeProtocol(false, &unused)); },
      [&] { return GeneratorAllocations(/*streaming=*/false); });
}

TEST_F(AllocationTest, AMessageOfAStreamAllocatesNothingBesidesGrpc) {
  AllocationsPerEvent unused;
  hellocnn::testing::ExpectAllocatesNoMore(
      [&] { return BareStreamAllocations(Connection()[0], *MakeProtocol(true, &unused)); },
      [&] { return GeneratorAllocations(/*streaming=*/true); });
}

}  // namespace
}  // namespace hellocnn::load
