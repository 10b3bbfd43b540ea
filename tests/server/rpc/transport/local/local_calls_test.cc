#include "server/rpc/transport/local/local_calls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace hellocnn::server {
namespace {

// What a handler did, and the call that it keeps if it is to wait.
struct Seen {
  int ends = 0;
  int cancels = 0;
  std::vector<UnaryRpc*> waiting;
};

// Echoes the request with what else is known of it. A request "wait" is kept, and "fail" fails.
class EchoHandler final : public CallHandler {
 public:
  EchoHandler(Seen* seen, UnaryRpc* rpc) : seen_(seen), rpc_(rpc) {}

  static void Respond(UnaryRpc* rpc) {
    const std::string response = absl::StrCat(
        rpc->Peer(), " ", rpc->caller(), " ", absl::StrJoin(rpc->CertificateNames(), ","), " ",
        std::string(rpc->Metadata("x-request-id").value_or("none")), " ",
        rpc->deadline() == Instant::InfiniteFuture() ? "no deadline" : "a deadline");
    const std::span<std::uint8_t> bytes = rpc->response()->Allocate(response.size());
    std::copy(response.begin(), response.end(), bytes.begin());
    rpc->Finish(absl::OkStatus());
  }

 private:
  void OnCall() override {
    std::string request;
    const void* piece = nullptr;
    int size = 0;
    auto* const pieces = rpc_->request()->Pieces();
    while (pieces->Next(&piece, &size)) {
      request.append(static_cast<const char*>(piece), static_cast<std::size_t>(size));
    }
    if (request == "wait") return seen_->waiting.push_back(rpc_);
    if (request == "fail") return rpc_->Finish(absl::NotFoundError("as asked"));
    Respond(rpc_);
  }
  void OnCancel() override {
    ++seen_->cancels;
    rpc_->Finish(absl::CancelledError("cancelled"));
  }
  void OnEnd() override { ++seen_->ends; }

  Seen* const seen_;
  UnaryRpc* const rpc_;
};

class LocalCallsTest : public ::testing::Test {
 protected:
  // Calls the method; the response is set once there is one.
  void Call(const std::string& bytes, std::optional<LocalCalls::Response>* response,
            const std::string& path = "/pkg.Echo/Echo") {
    calls_.Call({.path = path,
                 .bytes = bytes,
                 .peer = "10.0.0.1",
                 .caller = 7,
                 .certificate_names = {"DNS:shop.example", "IP:10.0.0.1"},
                 .metadata = {{"x-request-id", "r-1"}}},
                [response](LocalCalls::Response result) { *response = std::move(result); });
  }

  Seen seen_;
  LocalCalls calls_{{{.name = "pkg.Echo",
                      .unary = {{.name = "Echo",
                                 .make_handler =
                                     [this](UnaryRpc* rpc) {
                                       return std::make_unique<EchoHandler>(&seen_, rpc);
                                     }}},
                      .streams = {}}}};
};

TEST_F(LocalCallsTest, AHandlerSeesTheCallAndServesOneAfterAnother) {
  for (int i = 1; i <= 3; ++i) {
    std::optional<LocalCalls::Response> response;
    Call("hello", &response);
    ASSERT_TRUE(response.has_value());
    EXPECT_TRUE(response->status.ok());
    EXPECT_EQ(response->bytes, "10.0.0.1 7 DNS:shop.example,IP:10.0.0.1 r-1 no deadline");
    EXPECT_EQ(seen_.ends, i);
  }
}

TEST_F(LocalCallsTest, ErrorsArePassedOn) {
  std::optional<LocalCalls::Response> response;
  Call("fail", &response);
  EXPECT_EQ(response->status, absl::NotFoundError("as asked"));
  EXPECT_EQ(response->bytes, "");
  Call("", &response, "/pkg.Echo/Ech");
  EXPECT_EQ(response->status,
            absl::UnimplementedError("there is no method /pkg.Echo/Ech; pkg.Echo has Echo"));
}

TEST_F(LocalCallsTest, AResponseMayComeLaterFromAnotherThread) {
  std::optional<LocalCalls::Response> response;
  Call("wait", &response);
  EXPECT_FALSE(response.has_value());
  EXPECT_EQ(seen_.ends, 0);
  std::thread([this] { EchoHandler::Respond(seen_.waiting[0]); }).join();
  EXPECT_TRUE(response->status.ok());
  EXPECT_EQ(seen_.ends, 1);
}

TEST_F(LocalCallsTest, AHeldCallEndsWhenItIsReleased) {
  std::optional<LocalCalls::Response> response;
  Call("wait", &response);
  UnaryRpc* const rpc = seen_.waiting[0];
  rpc->Hold();
  EchoHandler::Respond(rpc);
  EXPECT_TRUE(response.has_value());
  EXPECT_EQ(seen_.ends, 0);
  rpc->Release();
  EXPECT_EQ(seen_.ends, 1);
}

TEST_F(LocalCallsTest, AllThatWaitCanBeCancelledAndAllThatComeAre) {
  std::optional<LocalCalls::Response> responses[3];
  Call("wait", &responses[0]);
  Call("wait", &responses[1]);
  calls_.CancelAll();
  Call("wait", &responses[2]);
  for (const auto& response : responses) {
    ASSERT_TRUE(response.has_value());
    EXPECT_EQ(response->status.code(), absl::StatusCode::kCancelled);
  }
  EXPECT_EQ(seen_.cancels, 3);
  EXPECT_EQ(seen_.ends, 3);
}

}  // namespace
}  // namespace hellocnn::server
