// hellocnn-echo-server: hellocnn.v1.ClassifierService with nothing behind it. Messages, gRPC set-up
// and the way to read requests are those of hellocnn-server, but each image gets the same response.
// What the server costs is therefore what gRPC costs. Exit status: 0 after SIGTERM or SIGINT, 1 if
// it could not start, 2 for wrong usage.
#include <CLI/CLI.hpp>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/address.h"
#include "base/clock.h"
#include "base/command_line/command_line.h"
#include "hellocnn/model_card.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "server/rpc/classifier_v1/classifier_service.h"
#include "server/rpc/classifier_v1/codec.h"
#include "server/rpc/classifier_v1/request_reader.h"
#include "server/rpc/classifier_v1/response.h"
#include "server/rpc/core/arena_message.h"
#include "server/rpc/transport/grpc/grpc_transport.h"
#include "server/rpc/transport/http2/http2_transport.h"
#include "server/rpc/transport/messages.h"
#include "server/rpc/transport/transport.h"
#include "server/runtime/event_queue.h"

namespace hellocnn {
namespace {

using server::Message;

constexpr int kClasses = 10;  // as in the shipped model
constexpr int kMaxImages = 1024;
constexpr int kMaxMessageBytes = 4096 + kMaxImages * (4096 + 64);

ModelCard Card() {
  ModelCard card;
  card.name = "echo";
  card.version = "1";
  for (int i = 0; i < kClasses; ++i) card.class_labels.push_back(std::to_string(i));
  card.normalization = {0.1307F, 0.3081F};
  return card;
}

v1::GetModelResponse Description(const ModelCard& card) {
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
v1::ClassifyResponse ResponseOf(const ModelCard& card) {
  std::array<float, kClasses> log_probabilities;
  log_probabilities.fill(-8);
  log_probabilities[7] = -0.003F;
  const server::JobTiming timing{
      .queue = absl::Microseconds(20), .compute = absl::Microseconds(100), .largest_batch = 16};
  v1::ClassifyResponse response;
  server::EncodeClassification({log_probabilities, card, timing}, &response);
  return response;
}

// What every call needs. Immutable.
struct Echo {
  const ModelCard card = Card();
  const v1::GetModelResponse description = Description(card);
  const v1::ClassifyResponse response = ResponseOf(card);

  void Fill(std::size_t images, v1::ClassifyResponse* filled) const {
    *filled->mutable_model() = response.model();
    *filled->mutable_timing() = response.timing();
    filled->mutable_predictions()->Reserve(static_cast<int>(images));
    for (std::size_t i = 0; i < images; ++i) *filled->add_predictions() = response.predictions(0);
  }
};

// Reads a request as hellocnn-server does. Returns the number of images, or an error for invalid
// images, too.
template <typename Proto>
absl::StatusOr<std::size_t> ReadImages(Message* message, google::protobuf::Arena* arena,
                                       std::uint64_t* id = nullptr) {
  std::vector<server::ImageContent> contents;
  const absl::StatusOr<server::Request> request = server::ReadRequest<Proto>(
      {message->Pieces(), message->size()}, kMaxImages, arena, &contents, id);
  if (!request.ok()) return request.status();
  if (!request->images.ok()) return request->images.status();
  return request->images->size();
}

class EchoCall final : public server::CallHandler {
 public:
  EchoCall(const Echo* echo, server::UnaryRpc* rpc) : echo_(echo), rpc_(rpc) {}

 private:
  void OnCall() override {
    const auto images = ReadImages<v1::ClassifyRequest>(rpc_->request(), response_.arena());
    if (images.ok()) {
      echo_->Fill(*images, response_.get());
      server::Serialize(*response_, rpc_->response());
    }
    response_.Clear();
    rpc_->Finish(images.status());
  }

  const Echo* const echo_;
  server::UnaryRpc* const rpc_;
  server::ArenaMessage<v1::ClassifyResponse> response_;
};

class DescriptionCall final : public server::CallHandler {
 public:
  DescriptionCall(const Echo* echo, server::UnaryRpc* rpc) : echo_(echo), rpc_(rpc) {}

 private:
  void OnCall() override {
    server::Serialize(echo_->description, rpc_->response());
    rpc_->Finish(absl::OkStatus());
  }

  const Echo* const echo_;
  server::UnaryRpc* const rpc_;
};

// Reads a request and writes its response, repeatedly.
class EchoStream final : public server::StreamHandler {
 public:
  EchoStream(const Echo* echo, server::StreamRpc* rpc)
      : echo_(echo), rpc_(rpc), message_(rpc->MakeMessage()) {}

 private:
  void OnCall() override { rpc_->Read(message_.get()); }
  void OnRead(bool ok) override {
    if (!ok) return rpc_->Finish(absl::OkStatus());
    std::uint64_t id = 0;
    const auto images =
        ReadImages<v1::ClassifyStreamRequest>(message_.get(), response_.arena(), &id);
    if (!images.ok()) return rpc_->Finish(images.status());
    response_->set_id(id);
    echo_->Fill(*images, response_->mutable_result());
    server::Serialize(*response_, message_.get());
    response_.Clear();
    rpc_->Write(message_.get());
  }
  void OnWritten(bool ok) override {
    if (!ok) return rpc_->Finish(absl::OkStatus());
    rpc_->Read(message_.get());
  }

  const Echo* const echo_;
  server::StreamRpc* const rpc_;
  const std::unique_ptr<Message> message_;
  server::ArenaMessage<v1::ClassifyStreamResponse> response_;
};

server::Service ServiceOf(const Echo* echo) {
  return {.name = server::kClassifierService,
          .unary = {{.name = "Classify",
                     .make_handler =
                         [echo](server::UnaryRpc* rpc) {
                           return std::make_unique<EchoCall>(echo, rpc);
                         },
                     .burst = 64},  // as many as hellocnn-server
                    {.name = "GetModel",
                     .make_handler =
                         [echo](server::UnaryRpc* rpc) {
                           return std::make_unique<DescriptionCall>(echo, rpc);
                         }}},
          .streams = {{.name = "ClassifyStream", .make_handler = [echo](server::StreamRpc* rpc) {
                         return std::make_shared<EchoStream>(echo, rpc);
                       }}}};
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

absl::StatusOr<std::unique_ptr<server::Transport>> StartTransport(const std::string& transport,
                                                                  const std::string& listen,
                                                                  const Echo* echo) {
  if (transport == "grpc") {
    return server::StartGrpcTransport({.listen = listen, .max_message_bytes = kMaxMessageBytes},
                                      {ServiceOf(echo)});
  }
  server::Http2Options options{.listen = listen};
  options.limits.message_bytes = kMaxMessageBytes;
  return server::StartHttp2Transport(options, {ServiceOf(echo)});
}

int Serve(const std::string& transport_name, const std::string& listen) {
  // The signals are blocked before the first thread starts. All threads inherit that, and only this
  // one receives them.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  const Echo echo;
  const auto transport = StartTransport(transport_name, listen, &echo);
  if (!transport.ok()) {
    std::fprintf(stderr, "hellocnn-echo-server: %s\n",
                 std::string(transport.status().message()).c_str());
    return 1;
  }
  std::thread thread(HandleEvents, (*transport)->events());
  std::printf("hellocnn-echo-server ready grpc=%s\n", (*transport)->address().c_str());
  std::fflush(stdout);
  int number = 0;
  sigwait(&signals, &number);
  (*transport)->Stop(absl::ZeroDuration());
  (*transport)->events()->Close();
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
        const absl::Status status = hellocnn::ParseHostPort(text).status();
        return status.ok() ? "" : absl::StrCat("is \"", text, "\": ", status.message());
      })
      ->capture_default_str();
  std::string transport = "grpc";
  app.add_option("--transport", transport, "What carries the calls, as for hellocnn-server.")
      ->check(CLI::IsMember({"grpc", "http2"}))
      ->capture_default_str();
  if (const std::optional<int> code = hellocnn::ParseCommandLine(app, argc, argv)) return *code;
  return hellocnn::Serve(transport, listen);
}
