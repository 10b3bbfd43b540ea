// The server of gRPC's interoperability tests, grpc.testing.TestService, on a transport of
// hellocnn-server. Usage: hellocnn_interop_server grpc|http2 PORT [CERTIFICATE KEY]. Prints
// "ready ADDRESS" and serves until SIGTERM. With the files, in PEM, http2 speaks TLS.
//
// It has what the cases without authentication need, but does not look at compression: the
// transport inflates requests, and compresses the responses to compressed requests, whatever the
// messages ask for.
#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "server/rpc/transport/grpc/grpc_transport.h"
#include "server/rpc/transport/http2/http2_transport.h"
#include "server/rpc/transport/transport.h"
#include "server/runtime/event_queue.h"
#include "tests/interop/interop.pb.h"

namespace hellocnn {
namespace {

namespace pb = ::grpc::testing;

constexpr int kMaxMessageBytes = 16 << 20;
constexpr std::string_view kEchoInitial = "x-grpc-test-echo-initial";
constexpr std::string_view kEchoTrailing = "x-grpc-test-echo-trailing-bin";

template <typename Proto>
bool Parse(server::Message* message, Proto* to) {
  return to->ParseFromZeroCopyStream(message->Pieces());
}

template <typename Proto>
void Serialize(const Proto& from, server::Message* message) {
  from.SerializeWithCachedSizesToArray(message->Allocate(from.ByteSizeLong()).data());
}

absl::Status NotParsed() { return absl::InternalError("the request is no valid message"); }

// A status that a client asks for may have any code and no meaning.
absl::Status StatusOf(const pb::EchoStatus& echo) {
  return {static_cast<absl::StatusCode>(echo.code()), echo.message()};
}

// Responds with a payload of `size` bytes; false if there is no such size.
bool Fill(int size, pb::Payload* payload) {
  if (size < 0 || size > kMaxMessageBytes) return false;
  payload->set_body(std::string(static_cast<std::size_t>(size), '\0'));
  return true;
}

absl::Status BadSize(int size) {
  return absl::InvalidArgumentError("a response of " + std::to_string(size) +
                                    " bytes is wanted; wanted 0 to " +
                                    std::to_string(kMaxMessageBytes));
}

void EchoInitial(server::Rpc* rpc) {
  const std::optional<std::string_view> value = rpc->Metadata(kEchoInitial);
  if (value.has_value()) rpc->AddInitialMetadata(kEchoInitial, *value);
}

void FinishWithEcho(server::Rpc* rpc, const absl::Status& status) {
  const std::optional<std::string_view> value = rpc->Metadata(kEchoTrailing);
  if (!value.has_value()) return rpc->Finish(status);
  const server::Trailer trailers[] = {{kEchoTrailing, *value}};
  rpc->Finish(status, trailers);
}

class EmptyCall final : public server::CallHandler {
 public:
  explicit EmptyCall(server::UnaryRpc* rpc) : rpc_(rpc) {}

 private:
  void OnCall() override {
    EchoInitial(rpc_);
    FinishWithEcho(rpc_, absl::OkStatus());
  }

  server::UnaryRpc* const rpc_;
};

class UnaryCall final : public server::CallHandler {
 public:
  explicit UnaryCall(server::UnaryRpc* rpc) : rpc_(rpc) {}

 private:
  void OnCall() override {
    EchoInitial(rpc_);
    FinishWithEcho(rpc_, Respond());
  }
  absl::Status Respond() {
    pb::SimpleRequest request;
    if (!Parse(rpc_->request(), &request)) return NotParsed();
    if (request.has_response_status()) {
      absl::Status status = StatusOf(request.response_status());
      if (!status.ok()) return status;
    }
    pb::SimpleResponse response;
    if (!Fill(request.response_size(), response.mutable_payload())) {
      return BadSize(request.response_size());
    }
    Serialize(response, rpc_->response());
    return absl::OkStatus();
  }

  server::UnaryRpc* const rpc_;
};

// Adds up the sizes of the requests. A cancelled call ends by itself, since its read fails.
class StreamingInputCall final : public server::StreamHandler {
 public:
  explicit StreamingInputCall(server::StreamRpc* rpc) : rpc_(rpc), message_(rpc->MakeMessage()) {}

 private:
  void OnCall() override {
    EchoInitial(rpc_);
    rpc_->Read(message_.get());
  }
  void OnRead(bool ok) override {
    if (!ok) {
      pb::StreamingInputCallResponse response;
      response.set_aggregated_payload_size(
          static_cast<int>(std::min<std::size_t>(bytes_, std::numeric_limits<int>::max())));
      Serialize(response, message_.get());
      return rpc_->Write(message_.get());
    }
    pb::StreamingInputCallRequest request;
    if (!Parse(message_.get(), &request)) return FinishWithEcho(rpc_, NotParsed());
    bytes_ += request.payload().body().size();
    rpc_->Read(message_.get());
  }
  void OnWritten(bool /*ok*/) override { FinishWithEcho(rpc_, absl::OkStatus()); }

  server::StreamRpc* const rpc_;
  const std::unique_ptr<server::Message> message_;
  std::size_t bytes_ = 0;
};

// StreamingOutputCall and FullDuplexCall: responds to each request as it asks for. They differ only
// in how many requests the client sends.
class StreamingOutputCall final : public server::StreamHandler {
 public:
  explicit StreamingOutputCall(server::StreamRpc* rpc) : rpc_(rpc), message_(rpc->MakeMessage()) {}

 private:
  void OnCall() override {
    EchoInitial(rpc_);
    rpc_->Read(message_.get());
  }
  void OnRead(bool ok) override {
    if (!ok) return FinishWithEcho(rpc_, absl::OkStatus());
    if (!Parse(message_.get(), &request_)) return FinishWithEcho(rpc_, NotParsed());
    if (request_.has_response_status()) {
      const absl::Status status = StatusOf(request_.response_status());
      if (!status.ok()) return FinishWithEcho(rpc_, status);
    }
    written_ = 0;
    GoOn();
  }
  void OnWritten(bool ok) override {
    if (!ok) return FinishWithEcho(rpc_, absl::CancelledError("the caller is gone"));
    GoOn();
  }
  void GoOn() {
    if (written_ == request_.response_parameters_size()) return rpc_->Read(message_.get());
    const int size = request_.response_parameters(written_++).size();
    pb::StreamingOutputCallResponse response;
    if (!Fill(size, response.mutable_payload())) return FinishWithEcho(rpc_, BadSize(size));
    Serialize(response, message_.get());
    rpc_->Write(message_.get());
  }

  server::StreamRpc* const rpc_;
  const std::unique_ptr<server::Message> message_;
  pb::StreamingOutputCallRequest request_;
  int written_ = 0;  // responses to request_
};

template <typename Handler>
server::UnaryMethod Unary(std::string name) {
  return {.name = std::move(name),
          .make_handler = [](server::UnaryRpc* rpc) { return std::make_unique<Handler>(rpc); }};
}

template <typename Handler>
server::StreamMethod Stream(std::string name) {
  return {.name = std::move(name),
          .make_handler = [](server::StreamRpc* rpc) { return std::make_shared<Handler>(rpc); }};
}

std::vector<server::Service> Services() {
  return {{.name = "grpc.testing.TestService",
           .unary = {Unary<EmptyCall>("EmptyCall"), Unary<UnaryCall>("UnaryCall")},
           .streams = {Stream<StreamingInputCall>("StreamingInputCall"),
                       Stream<StreamingOutputCall>("StreamingOutputCall"),
                       Stream<StreamingOutputCall>("FullDuplexCall")}}};
}

absl::StatusOr<std::unique_ptr<server::Transport>> Start(const std::string& transport,
                                                         const std::string& listen,
                                                         const server::TlsCredentials* tls) {
  if (transport == "grpc") {
    if (tls != nullptr) return absl::InvalidArgumentError("only http2 speaks TLS");
    return server::StartGrpcTransport({.listen = listen, .max_message_bytes = kMaxMessageBytes},
                                      Services());
  }
  if (transport != "http2") return absl::InvalidArgumentError("the transport is grpc or http2");
  server::Http2Options options{.listen = listen, .tls = tls};
  options.limits.message_bytes = kMaxMessageBytes;
  return server::StartHttp2Transport(options, Services());
}

void HandleEvents(server::EventQueue* events) {
  server::EventQueue::Event event;
  while (true) {
    const auto got = events->Wait(Instant::InfiniteFuture(), &event);
    if (got == server::EventQueue::Got::kEnd) return;
    if (got == server::EventQueue::Got::kEvent) events->Handle(event);
  }
}

int Serve(const std::string& transport_name, const std::string& port,
          const server::TlsCredentials* tls) {
  std::signal(SIGPIPE, SIG_IGN);  // as TLS needs it
  // Blocked before the first thread starts, so that only this one receives it.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const auto transport = Start(transport_name, "127.0.0.1:" + port, tls);
  if (!transport.ok()) {
    std::fprintf(stderr, "%s\n", transport.status().ToString().c_str());
    return 1;
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) threads.emplace_back(HandleEvents, (*transport)->events());
  std::printf("ready %s\n", (*transport)->address().c_str());
  std::fflush(stdout);
  int number = 0;
  sigwait(&signals, &number);
  (*transport)->Stop(absl::ZeroDuration());
  (*transport)->events()->Close();
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace hellocnn

int main(int argc, char** argv) {
  if (argc != 3 && argc != 5) {
    std::fprintf(stderr, "usage: %s grpc|http2 PORT [CERTIFICATE KEY]\n", argv[0]);
    return 2;
  }
  if (argc == 3) return hellocnn::Serve(argv[1], argv[2], nullptr);
  const auto tls = hellocnn::server::TlsCredentials::Load(
      {.certificate = argv[3], .key = argv[4], .client_ca = "", .client_names = {}},
      [](const absl::Status&) {});
  if (!tls.ok()) {
    std::fprintf(stderr, "%s\n", tls.status().ToString().c_str());
    return 1;
  }
  return hellocnn::Serve(argv[1], argv[2], tls->get());
}
