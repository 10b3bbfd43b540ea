// The transport on libnghttp2 against any bytes that a peer may send.
//
// Input: a byte that says in how many bytes the rest arrives at a time, and what a client sends
// from its connection preface on. Whatever comes, the connection must end when the client does, and
// no memory and no call may be left.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fuzz/check.h"
#include "server/rpc/transport/http2/http2_core.h"
#include "server/rpc/transport/http2/http2_events.h"
#include "server/rpc/transport/http2/session.h"
#include "server/rpc/transport/http2/socket.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::fuzz {
namespace {

using server::Message;

void CopyTo(Message* from, Message* to) {
  std::string bytes;
  google::protobuf::io::ZeroCopyInputStream* const pieces = from->Pieces();
  const void* data = nullptr;
  int size = 0;
  while (pieces->Next(&data, &size)) {
    bytes.append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  }
  Require(bytes.size() == from->size(), "the pieces are not the message",
          absl::StrCat(bytes.size(), " of ", from->size(), " bytes"));
  std::copy(bytes.begin(), bytes.end(), to->Allocate(bytes.size()).begin());
}

class EchoCall final : public server::CallHandler {
 public:
  explicit EchoCall(server::UnaryRpc* rpc) : rpc_(rpc) {}

 private:
  void OnCall() override {
    CopyTo(rpc_->request(), rpc_->response());
    rpc_->Finish(absl::OkStatus());
  }
  server::UnaryRpc* const rpc_;
};

class EchoStream final : public server::StreamHandler {
 public:
  explicit EchoStream(server::StreamRpc* rpc) : rpc_(rpc), message_(rpc->MakeMessage()) {}

 private:
  void OnCall() override { rpc_->Read(message_.get()); }
  void OnRead(bool ok) override {
    if (!ok) return rpc_->Finish(absl::DataLossError("the end"));
    rpc_->Write(message_.get());
  }
  void OnWritten(bool ok) override {
    if (!ok) return rpc_->Finish(absl::CancelledError("gone"));
    rpc_->Read(message_.get());
  }
  server::StreamRpc* const rpc_;
  const std::unique_ptr<Message> message_;
};

std::vector<server::Service> Services() {
  const server::UnaryMethod unary{.name = "", .make_handler = [](server::UnaryRpc* rpc) {
                                    return std::make_unique<EchoCall>(rpc);
                                  }};
  const server::StreamMethod stream{.name = "", .make_handler = [](server::StreamRpc* rpc) {
                                      return std::make_shared<EchoStream>(rpc);
                                    }};
  const auto named = [](auto method, const char* name) {
    method.name = name;
    return method;
  };
  // Those of the recorded sessions.
  return {{.name = "hellocnn.v1.ClassifierService",
           .unary = {named(unary, "Classify"), named(unary, "GetModel")},
           .streams = {named(stream, "ClassifyStream")}},
          {.name = "grpc.health.v1.Health",
           .unary = {named(unary, "Check")},
           .streams = {named(stream, "Watch")}}};
}

// Small, so that inputs reach them.
server::Http2Limits Limits() {
  server::Http2Limits limits;
  limits.streams = limits.streams_per_connection = 8;
  limits.guaranteed_streams = 2;
  limits.header_bytes = 1024;
  limits.memory_bytes = 256 << 10;
  limits.message_bytes = 32 << 10;
  limits.flood_burst = 50;
  return limits;
}

struct Server {
  std::unique_ptr<server::Http2Events> events = server::Http2Events::Create().value();
  server::Http2Core core{Limits(), Services(), events.get(), [](server::Limit) {}};

  // Runs what there is to run.
  void Run() {
    server::EventQueue::Event event;
    for (int idle = 0; idle < 2;) {
      if (events->Wait(Instant::InfinitePast(), &event) == server::EventQueue::Got::kEvent) {
        events->Handle(event);
        idle = 0;
      } else {
        ++idle;
      }
    }
  }
};

void Discard(int socket) {
  std::array<char, 65536> bytes;
  while (recv(socket, bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {
  }
}

void Check(std::span<const std::uint8_t> input) {
  static Server& server = *new Server;
  if (input.empty()) return;
  const std::size_t at_a_time = std::max<std::size_t>(input.front(), 1) * 16;
  input = input.subspan(1);
  std::array<int, 2> sockets;
  Require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets.data()) == 0, "no sockets",
          "");
  server::Limit limit;
  Require(server.core.AddConnection("fuzz", &limit), "no connection", "");
  server::Session::Start(&server.core, server::MakePlainSocket(sockets[0]), "fuzz",
                         absl::ZeroDuration());
  server.Run();
  while (!input.empty()) {
    const std::size_t part = std::min(at_a_time, input.size());
    if (send(sockets[1], input.data(), part, MSG_NOSIGNAL) < 0) break;
    input = input.subspan(part);
    server.Run();
    Discard(sockets[1]);
  }
  close(sockets[1]);
  server.Run();
  Require(server.core.WaitUntilEmpty(Instant::InfinitePast()), "something is left",
          absl::StrCat(server.core.connections(), " connections"));
  Require(server.core.memory()->used() == 0, "memory is left",
          absl::StrCat(server.core.memory()->used(), " bytes"));
}

}  // namespace
}  // namespace hellocnn::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hellocnn::fuzz::Check({data, size});
  return 0;
}
