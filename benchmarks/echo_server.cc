// hellocnn-echo-server: hellocnn.v1.ClassifierService with nothing behind it. Messages, gRPC set-up
// and the way to read requests are those of hellocnn-server, but each image gets the same response.
// What the server costs is therefore what gRPC costs. Exit status: 0 after SIGTERM or SIGINT, 1 if
// it could not start, 2 for wrong usage.
#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>

#include "base/clock.h"
#include "hellocnn/model_card.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"
#include "server/rpc/answer.h"
#include "server/rpc/async_call.h"
#include "server/rpc/bytes.h"
#include "server/rpc/grpc_server.h"
#include "server/rpc/idle_calls.h"
#include "server/rpc/request.h"
#include "server/rpc/response.h"
#include "server/rpc/serving_context.h"
#include "server/rpc/status.h"

namespace hellocnn {
namespace {

using server::GrpcServer;

constexpr int kClasses = 10;  // as in the shipped model
constexpr int kMaxImages = 1024;
constexpr int kMaxMessageBytes = 4096 + kMaxImages * (4096 + 64);

v1::GetModelResponse Description() {
  ModelCard card;
  card.name = "echo";
  card.version = "1";
  for (int i = 0; i < kClasses; ++i) card.class_labels.push_back(std::to_string(i));
  card.normalization = {0.1307F, 0.3081F};
  v1::GetModelResponse description;
  *description.mutable_model() = server::DescribeModel(card);
  v1::Limits& limits = *description.mutable_limits();
  limits.set_max_images_per_request(kMaxImages);
  limits.set_max_batch_size(1);
  limits.set_queue_capacity(kMaxImages);
  limits.set_max_message_bytes(kMaxMessageBytes);
  return description;
}

// Returns a response with as many bytes as one of hellocnn-server.
v1::ClassifyResponse Answer(const v1::Model& model) {
  std::array<float, kClasses> log_probabilities;
  log_probabilities.fill(-8);
  log_probabilities[7] = -0.003F;
  const server::JobTiming timing{
      .queue = absl::Microseconds(20), .compute = absl::Microseconds(100), .largest_batch = 16};
  v1::ClassifyResponse answer;
  server::EncodeClassification(log_probabilities, model, timing, &answer);
  return answer;
}

// Reads a request as hellocnn-server does. Returns an error for invalid images, too.
template <typename Message>
absl::StatusOr<server::Request> ReadValid(grpc::ByteBuffer* bytes, google::protobuf::Arena* arena) {
  absl::StatusOr<server::Request> request = server::ReadRequest<Message>(bytes, kMaxImages, arena);
  if (request.ok() && !request->images.ok()) return request->images.status();
  return request;
}

class EchoCall;

class EchoService : public server::AsyncClassifier {
 public:
  EchoService() : description_(Description()), answer_(Answer(description_.model())) {}

  // `idle` outlives the queue.
  void Listen(server::CompletionEvents* events, server::IdleCalls<EchoCall>* idle);

  void Fill(std::size_t images, v1::ClassifyResponse* response) const {
    *response->mutable_model() = answer_.model();
    *response->mutable_timing() = answer_.timing();
    response->mutable_predictions()->Reserve(static_cast<int>(images));
    for (std::size_t i = 0; i < images; ++i) *response->add_predictions() = answer_.predictions(0);
  }
  const v1::GetModelResponse& description() const { return description_; }

 private:
  const v1::GetModelResponse description_;
  const v1::ClassifyResponse answer_;
};

class EchoCall final : public server::UnaryCall {
 public:
  using Idle = server::IdleCalls<EchoCall>;
  static void Listen(EchoService* service, server::CompletionEvents* events, Idle* idle) {
    std::unique_ptr<EchoCall> call = idle->Take();
    if (call == nullptr) call.reset(new EchoCall(service, events, idle));
    call.release()->UnaryCall::Listen(service, &EchoService::RequestClassify);
  }

 private:
  EchoCall(EchoService* service, server::CompletionEvents* events, Idle* idle)
      : UnaryCall(events), service_(service), idle_(idle) {}

  void OnCall() override {
    Listen(service_, events(), idle_);
    const auto asked = ReadValid<v1::ClassifyRequest>(request(), answer_.arena());
    if (!asked.ok()) return FinishWithError(server::ToGrpc(asked.status()));
    service_->Fill(asked->images->size(), answer_.response());
    Finish(server::Serialize(*answer_.response()));
  }
  void Dispose() override {
    Clear();
    answer_.Clear();
    idle_->Put(std::unique_ptr<EchoCall>(this));
  }

  EchoService* const service_;
  Idle* const idle_;
  server::Answer<v1::ClassifyResponse> answer_;
};

class DescriptionCall final : public server::UnaryCall {
 public:
  static void Listen(EchoService* service, server::CompletionEvents* events) {
    auto* call = new DescriptionCall(service, events);
    call->UnaryCall::Listen(service, &EchoService::RequestGetModel);
  }

 private:
  DescriptionCall(EchoService* service, server::CompletionEvents* events)
      : UnaryCall(events), service_(service) {}

  void OnCall() override {
    Listen(service_, events());
    Finish(server::Serialize(service_->description()));
  }

  EchoService* const service_;
};

// Reads a request and writes its response, repeatedly.
class EchoStream final : public server::BidiCall {
 public:
  static void Listen(EchoService* service, server::CompletionEvents* events) {
    auto* call = new EchoStream(service, events);
    call->BidiCall::Listen(service, &EchoService::RequestClassifyStream);
  }

 private:
  EchoStream(EchoService* service, server::CompletionEvents* events)
      : BidiCall(events), service_(service) {}

  void OnCall() override {
    Listen(service_, events());
    StartRead(&bytes_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    answer_.Clear();
    const auto asked = ReadValid<v1::ClassifyStreamRequest>(&bytes_, answer_.arena());
    if (!asked.ok()) return Finish(server::ToGrpc(asked.status()));
    v1::ClassifyStreamResponse* const response = answer_.response();
    response->set_id(asked->id);
    service_->Fill(asked->images->size(), response->mutable_result());
    StartWrite(server::Serialize(*response));
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status::OK);
    StartRead(&bytes_);
  }

  EchoService* const service_;
  grpc::ByteBuffer bytes_;
  server::Answer<v1::ClassifyStreamResponse> answer_;
};

void EchoService::Listen(server::CompletionEvents* events, server::IdleCalls<EchoCall>* idle) {
  for (int i = 0; i < 64; ++i) EchoCall::Listen(this, events, idle);  // as many as hellocnn-server
  EchoStream::Listen(this, events);
  DescriptionCall::Listen(this, events);
}

// Runs on one thread, as in hellocnn-server with --threads=1.
void HandleEvents(server::EventQueue* events) {
  server::EventQueue::Event event;
  while (true) {
    const auto got = events->Wait(Instant::InfiniteFuture(), &event);
    if (got == server::EventQueue::Got::kEnd) return;
    if (got == server::EventQueue::Got::kEvent) events->Handle(event);
  }
}

int Serve(const std::string& listen) {
  // The signals are blocked before the first thread starts. All threads inherit that, and only this
  // one receives them.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  EchoService service;
  server::IdleCalls<EchoCall> idle;
  absl::StatusOr<GrpcServer> started = server::StartGrpcServer(
      {.listen = listen, .max_message_bytes = kMaxMessageBytes}, {&service});
  if (!started.ok()) {
    std::fprintf(stderr, "hellocnn-echo-server: %s\n",
                 std::string(started.status().message()).c_str());
    return 1;
  }
  std::printf("hellocnn-echo-server ready grpc=%s\n", started->address.c_str());
  std::fflush(stdout);
  service.Listen(started->events.get(), &idle);
  std::thread thread(HandleEvents, started->events.get());
  int number = 0;
  sigwait(&signals, &number);
  hellocnn::server::ShutDown(started->server.get(), absl::ZeroDuration());
  started->server->Wait();
  started->events->Close();
  thread.join();
  return 0;
}

}  // namespace
}  // namespace hellocnn

int main(int argc, char** argv) {
#ifdef NDEBUG
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);  // as hellocnn-server does
#endif
  CLI::App app(
      "Answers every image with the same prediction: what gRPC costs without the rest. For "
      "hellocnn-bench.",
      "hellocnn-echo-server");
  std::string listen = "127.0.0.1:0";
  app.add_option("--listen", listen, "Address, host:port. Port 0 picks a free one.")
      ->check([](const std::string& text) {
        return text.find(':') != std::string::npos ? "" : "is \"" + text + "\", wanted host:port";
      })
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return hellocnn::Serve(listen);
}
