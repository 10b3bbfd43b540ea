// What the server allocates for a request once it is warm: nothing but what gRPC and protobuf do.
//
// Counted are the calls of operator new on the thread that handles events, computes and answers. A
// loop over gRPC that gives the same answers and does nothing else says how many of them are not
// ours.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "hellocnn/v1/classifier_service.grpc.pb.h"
#include "server/observability/prometheus/prometheus_metrics.h"
#include "server/rpc/classifier_v1/classifier_service.h"
#include "server/rpc/classifier_v1/request_reader.h"
#include "server/rpc/classifier_v1/response.h"
#include "server/rpc/core/admission.h"
#include "server/rpc/core/arena_message.h"
#include "server/rpc/core/call_scope.h"
#include "server/rpc/core/codec.h"
#include "server/rpc/transport/grpc/grpc_transport.h"
#include "tests/testing/count_allocations.h"
#include "tests/testing/model_card.h"
#include "tests/testing/served_model.h"

namespace hellocnn::server {
namespace {

using ::hellocnn::testing::Allocations;
using ::hellocnn::testing::AllocationsPerEvent;
using ::hellocnn::testing::DigitsCard;

constexpr int kCallers = 8;
constexpr int kRequestsEach = 400;
static_assert(kCallers * kRequestsEach >
              AllocationsPerEvent::kWarmUp + AllocationsPerEvent::kEvents);
constexpr int kMaxImages = 1024;

constexpr int kClasses = 10;  // of DigitsCard()

void WriteSomeRows(std::span<float> log_probabilities) {
  std::fill(log_probabilities.begin(), log_probabilities.end(), -8.0F);
  for (std::size_t i = 7; i < log_probabilities.size(); i += kClasses) {
    log_probabilities[i] = -0.003F;
  }
}

class SomeEngine : public Engine {
 public:
  int classes() const override { return kClasses; }
  void Classify(std::span<const ImageView> /*images*/, std::span<float> log_probabilities,
                std::span<absl::Status> statuses) override {
    WriteSomeRows(log_probabilities);
    std::fill(statuses.begin(), statuses.end(), absl::OkStatus());
  }
};

// The metrics of a real server, and counts each request's end.
class CountingMetrics : public PrometheusMetrics {
 public:
  using PrometheusMetrics::PrometheusMetrics;
  void OnEnd(const RequestEnd& end) override {
    PrometheusMetrics::OnEnd(end);
    count_.OnEvent();
  }
  double PerRequest() const { return count_.Get(); }

 private:
  AllocationsPerEvent count_;
};

using AsyncClassifier =
    v1::ClassifierService::WithRawMethod_Classify<v1::ClassifierService::WithRawMethod_GetModel<
        v1::ClassifierService::WithRawMethod_ClassifyStream<v1::ClassifierService::Service>>>;

// Reads a request as the server does, and writes a response as generated code would.
template <typename Proto>
std::span<const ImageView> ImagesOf(grpc::ByteBuffer* bytes, google::protobuf::Arena* arena,
                                    std::uint64_t* id = nullptr) {
  const std::size_t size = bytes->Length();
  grpc::ProtoBufferReader pieces(bytes);
  std::vector<ImageContent> contents;
  return *ReadRequest<Proto>({&pieces, size}, kMaxImages, arena, &contents, id)->images;
}
template <typename Proto>
grpc::ByteBuffer Serialized(const Proto& proto) {
  grpc::ByteBuffer bytes;
  bool own = false;
  grpc::SerializationTraits<Proto>::Serialize(proto, &bytes, &own);
  return bytes;
}

// A gRPC server of `service` on a loopback port, with one completion queue.
struct Server {
  explicit Server(grpc::Service* service) {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(service);
    queue = builder.AddCompletionQueue();
    server = builder.BuildAndStart();
    target = "127.0.0.1:" + std::to_string(port);
  }
  std::unique_ptr<grpc::ServerCompletionQueue> queue;
  std::unique_ptr<grpc::Server> server;
  std::string target;
};

std::unique_ptr<v1::ClassifierService::Stub> Connect(const std::string& target) {
  return v1::ClassifierService::NewStub(
      grpc::CreateChannel(target, grpc::InsecureChannelCredentials()));
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
}

// Unary calls from kCallers threads, of `images` images each.
void CallUnary(const std::string& target, int images) {
  const auto stub = Connect(target);
  v1::ClassifyRequest request;
  for (int i = 0; i < images; ++i) request.add_images()->set_gray8(std::string(1024, '\x07'));
  std::vector<std::thread> callers;
  for (int c = 0; c < kCallers; ++c) {
    callers.emplace_back([&] {
      for (int i = 0; i < kRequestsEach; ++i) {
        grpc::ClientContext context;
        SetDeadline(context);
        v1::ClassifyResponse response;
        ASSERT_TRUE(stub->Classify(&context, request, &response).ok());
        ASSERT_EQ(response.predictions_size(), images);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

// As many requests over one stream, kCallers of them at a time.
void CallStream(const std::string& target) {
  const auto stub = Connect(target);
  v1::ClassifyStreamRequest request;
  request.add_images()->set_gray8(std::string(1024, '\x07'));
  grpc::ClientContext context;
  SetDeadline(context);
  const auto stream = stub->ClassifyStream(&context);
  v1::ClassifyStreamResponse response;
  for (int i = 0; i < kCallers * kRequestsEach + kCallers; ++i) {
    if (i < kCallers * kRequestsEach) {
      request.set_id(static_cast<std::uint64_t>(i));
      ASSERT_TRUE(stream->Write(request));
    }
    if (i < kCallers) continue;
    ASSERT_TRUE(stream->Read(&response));
    ASSERT_EQ(response.result().predictions_size(), 1);
  }
  stream->WritesDone();
  ASSERT_TRUE(stream->Finish().ok());
}

// Of the server with all that it does, for what `call` asks of it.
template <typename Call>
double ServerAllocations(Call call) {
  ServerInfo info;
  info.workers = 1;
  info.queue_capacity = 4096;
  CountingMetrics metrics(info);
  const auto labels = DigitsCard().class_labels;
  const ModelId model = metrics.AddModel(
      {.name = "digits", .version = "7", .class_labels = {labels.begin(), labels.end()}});
  Lifecycle lifecycle;
  ModelRegistry registry;
  Admission admission(&lifecycle, Clock::Monotonic());
  ClassifierService service({.max_images_per_request = kMaxImages},
                            Accounting(&metrics, Clock::Monotonic()), &admission, &registry,
                            [] { return std::vector<ModelStatus>(); });
  const auto transport = StartGrpcTransport({.listen = "127.0.0.1:0", .max_message_bytes = 4 << 20},
                                            {service.Describe()})
                             .value();
  const EngineFactory engines = [] { return std::make_unique<SomeEngine>(); };
  const auto served = testing::ServedModel::Start(1, {}, engines, transport->events(),
                                                  {.events = &metrics, .model = model})
                          .value();
  EXPECT_TRUE(registry.Publish(served->registry().Default().value()).ok());
  EXPECT_TRUE(lifecycle.Enter(LifecycleState::kServing).ok());
  call(transport->address());
  EXPECT_TRUE(lifecycle.Enter(LifecycleState::kDraining).ok());
  transport->Stop(absl::InfiniteDuration());
  served->Drain();
  return metrics.PerRequest();
}

// gRPC's documented use of its asynchronous API, on one thread, with memory that is used again.
class BareServer {
 public:
  BareServer() : server_(&service_), queue_(std::move(server_.queue)) {}

  template <typename Call>
  double Allocations(Call call) {
    for (UnaryCall& unary : unary_) Request(unary);
    Request(stream_);
    std::thread handler([this] {
      void* tag;
      bool ok;
      while (queue_->Next(&tag, &ok)) {
        const auto* const event = static_cast<const Event*>(tag);
        (this->*event->reaction)(event->call, ok);
      }
    });
    call(server_.target);
    while (under_way_ > 0) std::this_thread::yield();  // no call may be asked for after that
    server_.server->Shutdown();
    queue_->Shutdown();
    handler.join();
    return count_.Get();
  }

 private:
  struct Event {
    void* call;
    void (BareServer::*reaction)(void* call, bool ok);
  };
  struct UnaryCall {
    Event arrived{this, &BareServer::OnUnary};
    Event finished{this, &BareServer::OnUnaryEnd};  // once for each of two operations
    std::optional<grpc::ServerContext> context;
    grpc::ByteBuffer request;
    ArenaMessage<v1::ClassifyResponse> answer;
    std::optional<grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>> writer;
    int finishing = 0;
  };
  struct StreamCall {
    Event arrived{this, &BareServer::OnStream};
    Event read{this, &BareServer::OnRead};
    Event written{this, &BareServer::OnWritten};
    Event finished{this, &BareServer::OnStreamEnd};
    grpc::ServerContext context;
    grpc::ByteBuffer request;
    ArenaMessage<v1::ClassifyStreamResponse> answer;
    grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream{&context};
  };

  void Request(UnaryCall& call) {
    call.finishing = 2;
    call.context.emplace();
    call.context->AsyncNotifyWhenDone(&call.finished);
    call.writer.emplace(&*call.context);
    service_.RequestClassify(&*call.context, &call.request, &*call.writer, queue_.get(),
                             queue_.get(), &call.arrived);
  }
  void OnUnary(void* tag, bool ok) {
    if (!ok) return;
    ++under_way_;
    auto& call = *static_cast<UnaryCall*>(tag);
    Fill(ImagesOf<v1::ClassifyRequest>(&call.request, call.answer.arena()), call.answer.arena(),
         call.answer.get());
    call.writer->Finish(Serialized(*call.answer), grpc::Status::OK, &call.finished);
  }
  void OnUnaryEnd(void* tag, bool /*ok*/) {
    auto& call = *static_cast<UnaryCall*>(tag);
    if (--call.finishing > 0) return;
    count_.OnEvent();
    call.request.Clear();
    call.answer.Clear();
    call.writer.reset();
    call.context.reset();
    Request(call);
    --under_way_;
  }

  void Request(StreamCall& call) {
    service_.RequestClassifyStream(&call.context, &call.stream, queue_.get(), queue_.get(),
                                   &call.arrived);
  }
  void OnStream(void* tag, bool ok) {
    auto& call = *static_cast<StreamCall*>(tag);
    if (ok) call.stream.Read(&call.request, &call.read);
  }
  void OnRead(void* tag, bool ok) {
    auto& call = *static_cast<StreamCall*>(tag);
    if (!ok) return call.stream.Finish(grpc::Status::OK, &call.finished);
    v1::ClassifyStreamResponse* const response = call.answer.get();
    std::uint64_t id = 0;
    const auto images =
        ImagesOf<v1::ClassifyStreamRequest>(&call.request, call.answer.arena(), &id);
    response->set_id(id);
    Fill(images, call.answer.arena(), response->mutable_result());
    call.stream.Write(Serialized(*response), &call.written);
  }
  void OnWritten(void* tag, bool /*ok*/) {
    auto& call = *static_cast<StreamCall*>(tag);
    count_.OnEvent();
    call.request.Clear();
    call.answer.Clear();
    call.stream.Read(&call.request, &call.read);
  }
  void OnStreamEnd(void* /*tag*/, bool /*ok*/) {}

  void Fill(std::span<const ImageView> images, google::protobuf::Arena* arena,
            v1::ClassifyResponse* response) const {
    const std::span<float> log_probabilities = LogProbabilitiesFor(images, kClasses, arena);
    WriteSomeRows(log_probabilities);
    const JobTiming timing{absl::Microseconds(20), absl::Microseconds(100), 16};
    EncodeClassification({log_probabilities, model_, timing}, response);
  }

  const ModelCard model_ = DigitsCard();
  AsyncClassifier service_;
  Server server_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::array<UnaryCall, 2 * kCallers> unary_;
  StreamCall stream_;
  std::atomic<int> under_way_ = 0;  // unary calls
  AllocationsPerEvent count_;
};

// `call` is made of both servers.
template <typename Call>
void ExpectNothingBesidesGrpc(Call call) {
  hellocnn::testing::ExpectAllocatesNoMore([&] { return BareServer().Allocations(call); },
                                           [&] { return ServerAllocations(call); });
}

// Both servers read and write messages with these. An arena with room takes no memory of its own.
TEST(AllocationTest, ReadingAndWritingMessagesTakesMemoryOfTheArenaOnly) {
  std::vector<char> room(1 << 20);
  google::protobuf::ArenaOptions options;
  options.initial_block = room.data();
  options.initial_block_size = room.size();
  google::protobuf::Arena arena(options);
  auto* const response = google::protobuf::Arena::CreateMessage<v1::ClassifyResponse>(&arena);
  const ModelCard model = DigitsCard();
  v1::ClassifyRequest message;
  for (int i = 0; i < 64; ++i) message.add_images()->set_gray8(std::string(1024, '\x07'));
  // In pieces, so that some images must be put together.
  std::vector<grpc::Slice> slices;
  const std::string bytes = message.SerializeAsString();
  constexpr std::size_t kPiece = 8192;
  for (std::size_t at = 0; at < bytes.size(); at += kPiece) {
    slices.emplace_back(bytes.substr(at, kPiece));
  }
  grpc::ByteBuffer buffer(slices.data(), slices.size());

  const std::int64_t before = Allocations();
  const auto images = ImagesOf<v1::ClassifyRequest>(&buffer, &arena);
  const std::span<float> log_probabilities = LogProbabilitiesFor(images, kClasses, &arena);
  WriteSomeRows(log_probabilities);
  const JobTiming timing;
  EncodeClassification({log_probabilities, model, timing}, response);
  EXPECT_EQ(Allocations() - before, 0);
  EXPECT_EQ(response->predictions_size(), 64);
}

TEST(AllocationTest, AUnaryCallAllocatesNothingBesidesGrpc) {
  ExpectNothingBesidesGrpc([](const std::string& target) { CallUnary(target, 1); });
}

TEST(AllocationTest, ACallWithManyImagesAllocatesNothingBesidesGrpc) {
  ExpectNothingBesidesGrpc([](const std::string& target) { CallUnary(target, 64); });
}

TEST(AllocationTest, AMessageOfAStreamAllocatesNothingBesidesGrpc) {
  ExpectNothingBesidesGrpc(CallStream);
}

}  // namespace
}  // namespace hellocnn::server
