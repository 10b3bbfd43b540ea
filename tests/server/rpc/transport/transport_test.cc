#include "server/rpc/transport/transport.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "server/rpc/errors/error_details.pb.h"
#include "server/rpc/transport/caller.h"
#include "server/runtime/event_queue.h"
#include "tests/testing/transports.h"

namespace hellocnn::server {
namespace {

using ::testing::Contains;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::string BytesOf(Message* message) {
  std::string bytes;
  google::protobuf::io::ZeroCopyInputStream* const pieces = message->Pieces();
  const void* data = nullptr;
  int size = 0;
  while (pieces->Next(&data, &size))
    bytes.append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  EXPECT_EQ(bytes.size(), message->size());
  return bytes;
}

void SetBytes(std::string_view bytes, Message* message) {
  const std::span<std::uint8_t> to = message->Allocate(bytes.size());
  std::copy(bytes.begin(), bytes.end(), to.begin());
}

// Serves a call with functions.
class UnaryFunctions final : public CallHandler {
 public:
  std::function<void()> on_call;
  std::function<void()> on_cancel = [] {};
  std::function<void()> on_end = [] {};

 private:
  void OnCall() override { on_call(); }
  void OnCancel() override { on_cancel(); }
  void OnEnd() override { on_end(); }
};

// Writes each request back, and finishes with a status and a trailer after the last.
class EchoStream final : public StreamHandler {
 public:
  explicit EchoStream(StreamRpc* rpc) : rpc_(rpc), message_(rpc->MakeMessage()) {}

 private:
  void OnCall() override {
    rpc_->AddInitialMetadata("x-begin", "of the stream");
    rpc_->Read(message_.get());
  }
  void OnRead(bool ok) override {
    if (!ok) return rpc_->Finish(absl::DataLossError("the last"), kTrailers);
    rpc_->Write(message_.get());
  }
  void OnWritten(bool ok) override {
    EXPECT_TRUE(ok);
    rpc_->Read(message_.get());
  }

  static constexpr Trailer kTrailers[] = {{"x-end", "of the stream"}};
  StreamRpc* const rpc_;
  const std::unique_ptr<Message> message_;
};

grpc::ByteBuffer Buffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string StringOf(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  EXPECT_TRUE(buffer.DumpToSingleSlice(&slice).ok());
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

std::multimap<std::string, std::string> TextsOf(
    const std::multimap<grpc::string_ref, grpc::string_ref>& metadata) {
  std::multimap<std::string, std::string> texts;
  for (const auto& [key, value] : metadata) {
    texts.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
  }
  return texts;
}

class TransportTest : public ::testing::TestWithParam<std::string> {
 protected:
  // What a call of the caller ended with.
  struct End {
    grpc::Status status;
    std::string response;
    // Of the context.
    std::multimap<grpc::string_ref, grpc::string_ref> initial_metadata;
    std::multimap<grpc::string_ref, grpc::string_ref> trailers;
  };

  // What a handler found when its call arrived.
  struct Seen {
    std::string request;
    std::optional<std::string> metadata;
    bool has_other = false;
    Instant deadline;
  };

  // Starts the transport. `make_unary` makes the handlers of test.Service/Unary.
  void Start(std::function<std::unique_ptr<CallHandler>(UnaryRpc*)> make_unary,
             const Http2Limits& limits = {}) {
    Service service{.name = "test.Service",
                    .unary = {{.name = "Unary", .make_handler = std::move(make_unary)}},
                    .streams = {{.name = "Echo", .make_handler = [](StreamRpc* rpc) {
                                   return std::make_shared<EchoStream>(rpc);
                                 }}}};
    transport_ = testing::StartTransport(GetParam(), {std::move(service)}, limits);
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { HandleEvents(); });
    stub_.emplace(Connect());
  }
  // Returns a channel with a connection of its own, which begins with its first call.
  std::shared_ptr<grpc::Channel> Connect() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(transport_->address(), grpc::InsecureChannelCredentials(),
                                     arguments);
  }
  ~TransportTest() override {
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

  End CallUnary(grpc::ClientContext& context, const std::string& request) {
    return CallUnary(*stub_, context, request);
  }
  static End CallUnary(grpc::GenericStub& stub, grpc::ClientContext& context,
                       const std::string& request) {
    grpc::CompletionQueue queue;
    const auto call =
        stub.PrepareUnaryCall(&context, "/test.Service/Unary", Buffer(request), &queue);
    call->StartCall();
    grpc::ByteBuffer response;
    End end;
    call->Finish(&response, &end.status, nullptr);
    EXPECT_TRUE(Next(queue));
    if (end.status.ok()) end.response = StringOf(response);
    end.initial_metadata = context.GetServerInitialMetadata();
    end.trailers = context.GetServerTrailingMetadata();
    return end;
  }

  static bool Next(grpc::CompletionQueue& queue) {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    return ok;
  }

  // Adds to what has happened.
  void Note(const std::string& what) {
    MutexLock lock(&mutex_);
    order_ += what;
  }

  // What handlers use lives until their threads have ended_.
  Notification called_;
  Notification ended_;
  Mutex mutex_;
  std::string order_ ABSL_GUARDED_BY(mutex_);
  std::vector<Seen> seen_ ABSL_GUARDED_BY(mutex_);  // one call after another
  std::set<std::uint64_t> callers_ ABSL_GUARDED_BY(mutex_);
  std::atomic<int> made_{0};
  std::unique_ptr<Transport> transport_;
  std::vector<std::thread> threads_;
  std::optional<grpc::GenericStub> stub_;
};

TEST_P(TransportTest, AHandlerGetsTheRequestItsMetadataAndItsDeadline) {
  Start([&](UnaryRpc* rpc) {
    ++made_;
    auto handler = std::make_unique<UnaryFunctions>();
    handler->on_call = [this, rpc] {
      EXPECT_EQ(rpc->response()->size(), 0U);
      const std::optional<std::string_view> metadata = rpc->Metadata("x-key");
      const std::string request = BytesOf(rpc->request());
      {
        MutexLock lock(&mutex_);
        seen_.push_back({.request = request,
                         .metadata = metadata.has_value() ? std::optional<std::string>(*metadata)
                                                          : std::nullopt,
                         .has_other = rpc->Metadata("x-other").has_value(),
                         .deadline = rpc->deadline()});
      }
      SetBytes("got " + request, rpc->response());
      rpc->Finish(absl::OkStatus());
    };
    return handler;
  });
  const Instant before = Clock::Monotonic()->Now();
  {
    grpc::ClientContext context;
    context.AddMetadata("x-key", "value");
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::hours(1));
    const End end = CallUnary(context, "one");
    ASSERT_TRUE(end.status.ok()) << end.status.error_message();
    EXPECT_EQ(end.response, "got one");
  }
  const Instant after = Clock::Monotonic()->Now();
  for (int i = 0; i < 20; ++i) {
    grpc::ClientContext context;
    EXPECT_EQ(CallUnary(context, std::string(100'000, 'x')).response.size(), 100'004U);
  }
  EXPECT_LT(made_, 10);  // a handler serves one call after another
  MutexLock lock(&mutex_);
  ASSERT_EQ(seen_.size(), 21U);
  EXPECT_EQ(seen_[0].request, "one");
  EXPECT_EQ(seen_[0].metadata, "value");
  EXPECT_FALSE(seen_[0].has_other);
  EXPECT_GT(seen_[0].deadline, before + absl::Minutes(59));
  EXPECT_LT(seen_[0].deadline, after + absl::Minutes(61));
  EXPECT_EQ(seen_[20].metadata, std::nullopt);
  EXPECT_EQ(seen_[20].deadline, Instant::InfiniteFuture());
}

TEST_P(TransportTest, AnAddressIsOneCallerWhateverItsConnections) {
  Start([this](UnaryRpc* rpc) {
    auto handler = std::make_unique<UnaryFunctions>();
    handler->on_call = [this, rpc] {
      {
        MutexLock lock(&mutex_);
        callers_.insert(rpc->caller());
      }
      rpc->Finish(absl::OkStatus());
    };
    return handler;
  });
  for (int i = 0; i < 3; ++i) {
    grpc::GenericStub stub(Connect());
    grpc::ClientContext context;
    EXPECT_TRUE(CallUnary(stub, context, "").status.ok());
  }
  MutexLock lock(&mutex_);
  EXPECT_EQ(callers_.size(), 1U);
}

TEST(CallerTest, PrincipalsAndAddressesAreToldApart) {
  EXPECT_EQ(CallerOf("a", "1.1.1.1"), CallerOf("a", "2.2.2.2"));
  EXPECT_NE(CallerOf("a", "1.1.1.1"), CallerOf("b", "1.1.1.1"));
  EXPECT_NE(CallerOf("", "1.1.1.1"), CallerOf("", "2.2.2.2"));
  EXPECT_NE(CallerOf("1.1.1.1", "a"), CallerOf("", "1.1.1.1"));
}

TEST_P(TransportTest, AStatusReachesTheCallerWithItsTrailers) {
  Start([](UnaryRpc* rpc) {
    auto handler = std::make_unique<UnaryFunctions>();
    handler->on_call = [rpc] {
      SetBytes("not to be sent", rpc->response());
      static constexpr Trailer kTrailers[] = {{"x-first", "1"}, {"x-second", "two"}};
      rpc->Finish(absl::NotFoundError("no such thing"), kTrailers);
    };
    return handler;
  });
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "order 7");
  const End end = CallUnary(context, "");
  EXPECT_EQ(end.status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(end.status.error_message(), "no such thing");
  StatusDetails details;
  ASSERT_TRUE(details.ParseFromString(end.status.error_details()));
  EXPECT_EQ(details.code(), 5);
  EXPECT_EQ(details.message(), "no such thing");
  ASSERT_EQ(details.details_size(), 2);
  RequestInfo request;
  ASSERT_TRUE(request.ParseFromString(details.details(1).value()));
  EXPECT_EQ(request.request_id(), "order 7");
  EXPECT_THAT(end.trailers, Contains(Pair(grpc::string_ref("x-first"), grpc::string_ref("1"))));
  EXPECT_THAT(end.trailers, Contains(Pair(grpc::string_ref("x-second"), grpc::string_ref("two"))));
}

TEST_P(TransportTest, MetadataReachesTheCallerBeforeTheResponseAndAfterIt) {
  static constexpr std::string_view kBytes("\0\n,\xFF", 4);
  static constexpr Trailer kTrailers[] = {{"x-last", "2"}, {"x-last-bin", kBytes}};
  Start([](UnaryRpc* rpc) {
    auto handler = std::make_unique<UnaryFunctions>();
    handler->on_call = [rpc] {
      rpc->AddInitialMetadata("x-first", "1");
      rpc->AddInitialMetadata("x-first-bin", kBytes);
      const bool fails = rpc->request()->size() > 0;
      rpc->Finish(fails ? absl::NotFoundError("no such thing") : absl::OkStatus(), kTrailers);
    };
    return handler;
  });
  const std::string bytes(kBytes);
  for (const bool fails : {false, true, false, true}) {
    grpc::ClientContext context;
    const End end = CallUnary(context, fails ? "fail" : "");
    EXPECT_EQ(end.status.ok(), !fails) << end.status.error_message();
    EXPECT_THAT(TextsOf(end.initial_metadata),
                UnorderedElementsAre(Pair("x-first", "1"), Pair("x-first-bin", bytes)));
    auto trailers = TextsOf(end.trailers);
    std::erase_if(trailers, [](const auto& one) { return one.first == "grpc-status-details-bin"; });
    EXPECT_THAT(trailers, UnorderedElementsAre(Pair("x-last", "2"), Pair("x-last-bin", bytes)));
  }
}

TEST_P(TransportTest, AStreamReadsWritesAndFinishes) {
  Start([](UnaryRpc* /*rpc*/) { return std::make_unique<UnaryFunctions>(); });
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto stream = stub_->PrepareCall(&context, "/test.Service/Echo", &queue);
  stream->StartCall(nullptr);
  ASSERT_TRUE(Next(queue));
  for (const std::string& bytes : {std::string("a"), std::string(), std::string(200'000, 'b')}) {
    stream->Write(Buffer(bytes), nullptr);
    ASSERT_TRUE(Next(queue));
    grpc::ByteBuffer response;
    stream->Read(&response, nullptr);
    ASSERT_TRUE(Next(queue));
    EXPECT_EQ(StringOf(response), bytes);
  }
  stream->WritesDone(nullptr);
  ASSERT_TRUE(Next(queue));
  grpc::Status status;
  stream->Finish(&status, nullptr);
  ASSERT_TRUE(Next(queue));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DATA_LOSS);
  EXPECT_EQ(status.error_message(), "the last");
  EXPECT_THAT(context.GetServerInitialMetadata(),
              Contains(Pair(grpc::string_ref("x-begin"), grpc::string_ref("of the stream"))));
  EXPECT_THAT(context.GetServerTrailingMetadata(),
              Contains(Pair(grpc::string_ref("x-end"), grpc::string_ref("of the stream"))));
}

TEST_P(TransportTest, ALongConversationIsNoFlood) {
  // The peer answers what it gets with frames of its own: its windows, and pings to measure them.
  Start([](UnaryRpc* /*rpc*/) { return std::make_unique<UnaryFunctions>(); },
        {.flood_burst = 20, .flood_per_second = 0});
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto stream = stub_->PrepareCall(&context, "/test.Service/Echo", &queue);
  stream->StartCall(nullptr);
  ASSERT_TRUE(Next(queue));
  for (int i = 0; i < 500; ++i) {
    stream->Write(Buffer(std::string(10'000, 'x')), nullptr);
    ASSERT_TRUE(Next(queue)) << i;
    grpc::ByteBuffer response;
    stream->Read(&response, nullptr);
    ASSERT_TRUE(Next(queue)) << i;
    EXPECT_EQ(response.Length(), 10'000U);
  }
  context.TryCancel();
  grpc::Status status;
  stream->Finish(&status, nullptr);
  ASSERT_TRUE(Next(queue));
}

TEST_P(TransportTest, ACallThatIsCancelledStillFinishesAndThenEnds) {
  Start([&](UnaryRpc* rpc) {
    auto handler = std::make_unique<UnaryFunctions>();
    handler->on_call = [&] {
      Note("call ");
      called_.Notify();
    };
    handler->on_cancel = [this, rpc] {
      Note("cancel ");
      rpc->Finish(absl::CancelledError("the caller is gone"));
    };
    handler->on_end = [&] {
      Note("end");
      ended_.Notify();
    };
    return handler;
  });
  grpc::ClientContext context;
  std::thread caller(
      [&] { EXPECT_EQ(CallUnary(context, "").status.error_code(), grpc::StatusCode::CANCELLED); });
  called_.Wait();
  context.TryCancel();
  caller.join();
  ended_.Wait();
  MutexLock lock(&mutex_);
  EXPECT_EQ(order_, "call cancel end");
}

TEST_P(TransportTest, WhatStillComesAfterGoAwayIsServed) {
  Start([&](UnaryRpc* rpc) {
    auto handler = std::make_unique<UnaryFunctions>();
    handler->on_call = [rpc] { rpc->Finish(absl::OkStatus()); };
    return handler;
  });
  const auto is_served = [](const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    grpc::GenericStub stub(channel);
    return CallUnary(stub, context, "").status.ok();
  };
  const std::shared_ptr<grpc::Channel> old = Connect();
  EXPECT_TRUE(is_served(old));
  transport_->GoAway();
  if (GetParam() == "http2") {
    // The client has understood: it lets the connection go.
    const auto patience = std::chrono::system_clock::now() + std::chrono::seconds(60);
    EXPECT_TRUE(old->WaitForStateChange(GRPC_CHANNEL_READY, patience));
  }
  EXPECT_TRUE(is_served(old));
  const std::shared_ptr<grpc::Channel> fresh = Connect();
  EXPECT_TRUE(is_served(fresh));
  EXPECT_EQ(fresh->GetState(/*try_to_connect=*/false), GRPC_CHANNEL_READY);
}

TEST_P(TransportTest, StopAcceptingLeavesTheCallsInFlight) {
  std::atomic<UnaryRpc*> first{nullptr};
  Start([&](UnaryRpc* rpc) {
    auto handler = std::make_unique<UnaryFunctions>();
    handler->on_call = [&, rpc] {
      UnaryRpc* none = nullptr;
      if (!first.compare_exchange_strong(none, rpc)) return rpc->Finish(absl::OkStatus());
      called_.Notify();
    };
    return handler;
  });
  grpc::ClientContext context;
  std::thread caller([&] { EXPECT_TRUE(CallUnary(context, "").status.ok()); });
  called_.Wait();
  transport_->StopAccepting();
  grpc::GenericStub late(Connect());
  grpc::ClientContext late_context;
  EXPECT_EQ(CallUnary(late, late_context, "").status.error_code(),
            GetParam() == "http2" ? grpc::StatusCode::UNAVAILABLE : grpc::StatusCode::OK);
  first.load()->Finish(absl::OkStatus());
  caller.join();
}

TEST_P(TransportTest, StopCancelsTheCallsThatRemain) {
  Start([&](UnaryRpc* rpc) {
    auto handler = std::make_unique<UnaryFunctions>();
    handler->on_call = [&] { called_.Notify(); };
    handler->on_cancel = [rpc] { rpc->Finish(absl::CancelledError("the server stops")); };
    return handler;
  });
  grpc::ClientContext context;
  std::thread caller([&] { EXPECT_FALSE(CallUnary(context, "").status.ok()); });
  called_.Wait();
  transport_->Stop(absl::ZeroDuration());
  caller.join();
}

INSTANTIATE_TEST_SUITE_P(All, TransportTest, ::testing::Values("grpc", "http2"),
                         testing::TransportName);

}  // namespace
}  // namespace hellocnn::server
