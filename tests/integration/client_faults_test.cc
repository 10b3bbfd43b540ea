// What the client library makes of servers that are killed, paused, cut off, slow or restarting:
// no call hangs, each is answered once, and with its own answer.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "hellocnn/client/batching_client.h"
#include "hellocnn/client/client.h"
#include "loadgen/run/server_process.h"
#include "tests/integration/digit_load.h"
#include "tests/integration/tcp_proxy.h"

namespace hellocnn {
namespace {

using client::BatchingClient;
using client::ClassifyResult;
using client::ClassifyStream;
using client::Client;
using client::ClientOptions;
using client::HedgeOptions;
using client::Image;
using client::RetryOptions;
using client::StreamAnswer;
using load::ServerProcess;

constexpr int kThreads = 8;
constexpr int kSome = 50;
constexpr absl::Duration kTimeout = absl::Seconds(2);
// What a loaded machine and a sanitizer may add; far less than hanging.
constexpr absl::Duration kSlack = absl::Seconds(20);

// The ways to make calls that share no code.
enum class Way { kBlocking, kAsync, kHedged, kBatching };

std::string NameOf(const testing::TestParamInfo<Way>& way) {
  switch (way.param) {
    case Way::kBlocking:
      return "Blocking";
    case Way::kAsync:
      return "Async";
    case Way::kHedged:
      return "Hedged";
    case Way::kBatching:
      return "Batching";
  }
  return "";
}

ClientOptions Options(const std::string& target) {
  return {.target = target,
          .default_timeout = kTimeout,
          .connections = 2,
          .keepalive_interval = absl::Milliseconds(500),
          .keepalive_timeout = absl::Milliseconds(500),
          .max_reconnect_backoff = absl::Milliseconds(200)};
}

// Waits for a callback; a second one would end the program, for a promise is kept once.
absl::StatusOr<ClassifyResult> CallAsync(const Client& client, const Image& image) {
  const auto promise = std::make_shared<std::promise<absl::StatusOr<ClassifyResult>>>();
  client.ClassifyAsync({image}, {}, [promise](absl::StatusOr<ClassifyResult> answer) {
    promise->set_value(std::move(answer));
  });
  return promise->get_future().get();
}

DigitLoad::Classify MakeCalls(Way way, ClientOptions options) {
  if (way == Way::kHedged)
    options.hedge = HedgeOptions{.after = absl::Milliseconds(1), .max_share = 1};
  const Client client = Client::Create(options).value();
  if (way == Way::kBlocking)
    return [client](const Image& image) { return client.Classify({image}); };
  if (way == Way::kBatching) {
    const auto batching =
        std::make_shared<BatchingClient>(BatchingClient::Create(client, {}).value());
    return [batching](const Image& image) { return batching->Classify(image); };
  }
  return [client](const Image& image) { return CallAsync(client, image); };
}

void ExpectNothingLost(const std::vector<DigitLoad::Outcome>& outcomes) {
  for (const DigitLoad::Outcome& outcome : outcomes) {
    EXPECT_LT(outcome.took, kTimeout + kSlack) << outcome.status;
    if (outcome.status.ok()) {
      EXPECT_TRUE(outcome.right) << "the answer to another digit";
    } else {
      // The server rejects what would come too late for the rest of a deadline.
      EXPECT_THAT(outcome.status.code(), testing::AnyOf(absl::StatusCode::kUnavailable,
                                                        absl::StatusCode::kDeadlineExceeded,
                                                        absl::StatusCode::kResourceExhausted))
          << outcome.status;
    }
  }
}

std::unique_ptr<ServerProcess> StartServer(const std::vector<std::string>& more = {},
                                           const std::string& listen = "127.0.0.1:0") {
  std::vector<std::string> arguments = {"--listen=" + listen, "--metrics-listen=off",
                                        "--model=" HELLOCNN_SOURCE_DIR "/models/mnist/1",
                                        "--log-level=warn"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return ServerProcess::Start(HELLOCNN_TEST_SERVER, arguments, {}).value();
}

// gRPC itself looks after all connections every 5 s; what mends them here is the client's doing.
// Read when gRPC is used for the first time.
const int kNoBackupPolling =
    setenv("GRPC_CLIENT_CHANNEL_BACKUP_POLL_INTERVAL_MS", "0", /*replace=*/1);

class Faults : public testing::TestWithParam<Way> {
 protected:
  Faults() : server_(StartServer()), digits_(server_->address()) {}

  // At the address that it had.
  void StartAgain() {
    const std::string address = server_->address();
    server_.reset();
    server_ = StartServer({}, address);
  }

  std::unique_ptr<ServerProcess> server_;
  const KnownDigits digits_;
};

TEST_P(Faults, KilledAndStartedAgain) {
  DigitLoad load(digits_, kThreads, MakeCalls(GetParam(), Options(server_->address())));
  EXPECT_TRUE(load.WaitForSuccesses(kSome));
  server_->Kill();
  EXPECT_TRUE(load.WaitForFailures(kSome));
  StartAgain();
  EXPECT_TRUE(load.WaitForSuccesses(kSome)) << "it does not find the server again";
  ExpectNothingLost(load.Stop());
}

TEST_P(Faults, PausedAndResumed) {
  DigitLoad load(digits_, kThreads, MakeCalls(GetParam(), Options(server_->address())));
  EXPECT_TRUE(load.WaitForSuccesses(kSome));
  server_->Signal(SIGSTOP);
  EXPECT_TRUE(load.WaitForFailures(kThreads));
  server_->Signal(SIGCONT);
  EXPECT_TRUE(load.WaitForSuccesses(kSome)) << "it does not find the server again";
  ExpectNothingLost(load.Stop());
}

TEST_P(Faults, CutOffAndMended) {
  TcpProxy proxy(server_->address());
  DigitLoad load(digits_, kThreads, MakeCalls(GetParam(), Options(proxy.address())));
  EXPECT_TRUE(load.WaitForSuccesses(kSome));
  proxy.SetCut(true);
  EXPECT_TRUE(load.WaitForFailures(kThreads));
  proxy.SetCut(false);
  EXPECT_TRUE(load.WaitForSuccesses(kSome)) << "it does not find the server again";
  ExpectNothingLost(load.Stop());
}

TEST_P(Faults, SlowButRight) {
  TcpProxy proxy(server_->address());
  DigitLoad load(digits_, kThreads, MakeCalls(GetParam(), Options(proxy.address())));
  EXPECT_TRUE(load.WaitForSuccesses(kSome));
  proxy.SetDelay(absl::Milliseconds(20));
  EXPECT_TRUE(load.WaitForSuccesses(kSome));
  proxy.SetDelay(kTimeout * 2);
  EXPECT_TRUE(load.WaitForFailures(kThreads));
  proxy.SetDelay(absl::ZeroDuration());
  EXPECT_TRUE(load.WaitForSuccesses(kSome)) << "it stays slow";
  ExpectNothingLost(load.Stop());
}

// A client that follows health leaves a server alone that drains, which lets it end in peace.
TEST_P(Faults, RestartedAgainAndAgain) {
  ClientOptions options = Options(server_->address());
  options.round_robin = true;
  DigitLoad load(digits_, kThreads, MakeCalls(GetParam(), options));
  for (int restart = 0; restart < 3; ++restart) {
    EXPECT_TRUE(load.WaitForSuccesses(kSome)) << "before restart " << restart;
    EXPECT_TRUE(server_->Stop().ok());
    StartAgain();
  }
  EXPECT_TRUE(load.WaitForSuccesses(kSome));
  ExpectNothingLost(load.Stop());
}

INSTANTIATE_TEST_SUITE_P(Ways, Faults,
                         testing::Values(Way::kBlocking, Way::kAsync, Way::kHedged, Way::kBatching),
                         NameOf);

class ServerFaults : public Faults {};

// A stream under load until `fault`; how it ended. Each answer must come once, and be right.
absl::Status StreamUntil(const KnownDigits& digits, const Client& client,
                         const std::function<void()>& fault) {
  ClassifyStream stream = client.OpenStream().value();
  std::thread sender([&] {
    std::uint64_t id = 0;
    while (stream.Send(id, {digits.image(static_cast<int>(id % digits.count()))}).ok()) ++id;
  });
  std::set<std::uint64_t> answered;
  while (const std::optional<StreamAnswer> answer = stream.Read()) {
    EXPECT_TRUE(answered.insert(answer->id).second) << answer->id << " came twice";
    if (answer->result.ok()) {
      EXPECT_TRUE(digits.IsAnswerTo(static_cast<int>(answer->id % digits.count()),
                                    answer->result->predictions[0]));
    }
    if (answered.size() == kSome) fault();
  }
  sender.join();
  EXPECT_GE(answered.size(), kSome);
  return stream.Finish();
}

// One more request and its answer, as soon as the server is found again.
void ExpectStreamsAgain(const KnownDigits& digits, const Client& client) {
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  absl::Status status;
  do {
    ClassifyStream stream = client.OpenStream().value();
    (void)stream.Send(1, {digits.image(1)});
    const std::optional<StreamAnswer> answer = stream.Read();
    if (answer.has_value() && answer->result.ok()) {
      EXPECT_TRUE(digits.IsAnswerTo(1, answer->result->predictions[0]));
      return;
    }
    status = stream.Finish();
  } while (absl::Now() < deadline);
  ADD_FAILURE() << status;
}

TEST_F(ServerFaults, StreamEndsWhenTheServerIsKilled) {
  const Client client = Client::Create(Options(server_->address())).value();
  const absl::Status end = StreamUntil(digits_, client, [&] { server_->Kill(); });
  EXPECT_EQ(end.code(), absl::StatusCode::kUnavailable) << end;
  StartAgain();
  ExpectStreamsAgain(digits_, client);
}

TEST_F(ServerFaults, StreamEndsWhenTheServerIsPaused) {
  const Client client = Client::Create(Options(server_->address())).value();
  const absl::Status end = StreamUntil(digits_, client, [&] { server_->Signal(SIGSTOP); });
  EXPECT_EQ(end.code(), absl::StatusCode::kUnavailable) << end;
  server_->Signal(SIGCONT);
  ExpectStreamsAgain(digits_, client);
}

TEST_F(ServerFaults, StreamEndsWhenTheServerIsCutOff) {
  TcpProxy proxy(server_->address());
  const Client client = Client::Create(Options(proxy.address())).value();
  const absl::Status end = StreamUntil(digits_, client, [&] { proxy.SetCut(true); });
  EXPECT_EQ(end.code(), absl::StatusCode::kUnavailable) << end;
  proxy.SetCut(false);
  ExpectStreamsAgain(digits_, client);
}

// Without keepalive this call would wait for its deadline.
TEST_F(ServerFaults, PatientCallIsToldThatItsConnectionIsDead) {
  TcpProxy proxy(server_->address());
  const Client client = Client::Create(Options(proxy.address())).value();
  EXPECT_TRUE(client.Classify({digits_.image(0)}).ok());
  proxy.SetCut(true);
  auto answer = client.ClassifyFuture({digits_.image(0)}, {.timeout = absl::Minutes(10)});
  ASSERT_EQ(answer.wait_for(std::chrono::minutes(1)), std::future_status::ready);
  EXPECT_EQ(answer.get().status().code(), absl::StatusCode::kUnavailable);
}

// A server that minds pings closes the connection after the third.
TEST_F(ServerFaults, IdleStreamOutlivesManyKeepalives) {
  ClientOptions options = Options(server_->address());
  options.keepalive_interval = absl::Milliseconds(20);
  options.keepalive_timeout = absl::Seconds(20);
  const Client client = Client::Create(options).value();
  ClassifyStream stream = client.OpenStream().value();
  for (std::uint64_t id = 0; id < 5; ++id) {
    ASSERT_TRUE(stream.Send(id, {digits_.image(0)}).ok()) << stream.Finish();
    ASSERT_TRUE(stream.Read().has_value()) << stream.Finish();
    absl::SleepFor(absl::Milliseconds(300));
  }
  stream.CloseSending();
  EXPECT_FALSE(stream.Read().has_value());
  EXPECT_TRUE(stream.Finish().ok());
}

// Requests that fill the whole queue, one behind the other, so that another as large is refused
// time and again, with a time to come back after. With a backoff of an hour, only that time can
// bring it to its last attempt before the deadline.
TEST(ServerPushback, IsHonoured) {
  const std::unique_ptr<ServerProcess> server =
      StartServer({"--engine=torch-eager", "--threads=1", "--max-batch-size=1",
                   "--queue-capacity=64", "--max-images-per-request=64"});
  const std::vector<Image> images(
      64, Image::Gray8(std::vector<std::uint8_t>(client::kImagePixels)).value());
  // How long the server takes for a full queue, when it is left alone.
  const auto measure_queue_time = [&] {
    const Client first = Client::Create({.target = server->address()}).value();
    EXPECT_TRUE(first.Classify(images).ok());
    const absl::Time start = absl::Now();
    EXPECT_TRUE(first.Classify(images).ok());
    return absl::Now() - start;
  };
  const absl::Duration before = measure_queue_time();
  std::atomic<bool> stopping = false;
  std::vector<std::thread> fillers;
  for (int filler = 0; filler < 4; ++filler) {
    fillers.emplace_back([&] {
      const Client client = Client::Create({.target = server->address()}).value();
      while (!stopping) {
        if (!client.Classify(images).ok()) absl::SleepFor(absl::Milliseconds(1));
      }
    });
  }
  const Client client = Client::Create({.target = server->address(),
                                        .default_timeout = absl::Minutes(1),
                                        .retry =
                                            RetryOptions{
                                                .max_attempts = 5,
                                                .codes = {absl::StatusCode::kResourceExhausted},
                                                .initial_backoff = absl::Hours(1),
                                                .max_backoff = absl::Hours(1),
                                                .throttle_tokens = 0,
                                            }})
                            .value();
  absl::Status status;
  absl::Duration took;
  while (status.ok()) {
    const absl::Time start = absl::Now();
    status = client.Classify(images).status();
    took = absl::Now() - start;
  }
  stopping = true;
  for (std::thread& filler : fillers) filler.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  // Four times about as long as a queue takes to be computed. A machine that others use may have
  // been slow for a moment, so the shorter time counts; a half allows for a change of pace between.
  const absl::Duration queue_time = std::min(before, measure_queue_time());
  EXPECT_GE(took, 4 * queue_time / 2);
}

}  // namespace
}  // namespace hellocnn
