#include "hellocnn/client/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "base/mutex.h"
#include "hellocnn/client/batching_client.h"
#include "tests/client/fake_server.h"

namespace hellocnn::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(Image, RefusesWrongSizesAndWhatIsNotFinite) {
  EXPECT_EQ(Image::Gray8(std::vector<std::uint8_t>(784)).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(Image::Float32(std::vector<float>(1023)).status()), HasSubstr("1023"));
  std::vector<float> pixels(kImagePixels);
  pixels[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(Message(Image::Float32(pixels).status()), HasSubstr("pixel 7"));
}

TEST(Image, SendsFloatsAsLittleEndianBinary32) {
  std::vector<float> pixels(kImagePixels);
  pixels[0] = 1.0F;
  const absl::StatusOr<Image> image = Image::Float32(pixels);
  ASSERT_TRUE(image.ok());
  EXPECT_TRUE(image->is_float32());
  EXPECT_EQ(image->bytes().size(), 4096U);
  EXPECT_EQ(image->bytes().substr(0, 4), std::string("\0\0\x80\x3f", 4));
}

TEST(Client, RefusesOptionsThatMakeNoSense) {
  EXPECT_EQ(Client::Create({.target = ""}).status().code(), absl::StatusCode::kInvalidArgument);
  const auto client = Client::Create({.default_timeout = absl::ZeroDuration()});
  EXPECT_THAT(Message(client.status()), HasSubstr("greater than 0"));
}

TEST(Client, AnswersEachImageInOrder) {
  const FakeServer server;
  const Client client = server.Connect();
  const auto result = client.Classify({Uniform(4), Uniform(1), Uniform(9)});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->predictions.size(), 3U);
  EXPECT_EQ(result->predictions[0].class_index, 4);
  EXPECT_EQ(result->predictions[1].label, "1");
  EXPECT_NEAR(result->predictions[2].Probability(9), 0.91, 1e-6);
  EXPECT_EQ(result->model_name, "fake");
  EXPECT_EQ(result->model_version, "7");
  EXPECT_EQ(result->timing.queue, absl::Nanoseconds(1500));
  EXPECT_EQ(result->timing.compute, absl::Seconds(2));
  EXPECT_EQ(result->timing.batch_size, 3);
}

// Returns which of two servers get calls. Sends calls until both have been reached, but at most
// 1,000.
std::array<bool, 2> Reached(bool round_robin) {
  std::array<FakeServer, 2> servers;
  std::array<std::atomic<bool>, 2> reached{};
  for (int i = 0; i < 2; ++i) {
    servers[i].classify = [&reached, i](auto&, const auto& request, auto& response) {
      reached[i] = true;
      response = FakeServer::Answer(request.images());
      return grpc::Status::OK;
    };
  }
  const std::string target = "ipv4:" + servers[0].target() + "," + servers[1].target();
  const auto client = Client::Create({.target = target, .round_robin = round_robin});
  for (int call = 0; call < 1000 && !(reached[0] && reached[1]); ++call) {
    EXPECT_TRUE(client->Classify({Uniform(1)}).ok());
  }
  return {reached[0], reached[1]};
}

TEST(Client, SpreadsCallsOverAllAddressesOnlyWhenAsked) {
  EXPECT_THAT(Reached(true), ElementsAre(true, true));
  EXPECT_THAT(Reached(false), testing::UnorderedElementsAre(true, false));
}

TEST(Client, SendsWhatOneServerRefusesToAnother) {
  std::array<FakeServer, 2> servers;
  std::atomic<bool> draining = false;
  std::atomic<int> refused = 0;
  std::array<std::atomic<bool>, 2> reached{};
  for (int i = 0; i < 2; ++i) {
    servers[i].classify = [&, i](auto&, const auto& request, auto& response) {
      reached[i] = true;
      if (i == 0 && draining) {
        ++refused;
        return grpc::Status(grpc::StatusCode::UNAVAILABLE, "draining");
      }
      response = FakeServer::Answer(request.images());
      return grpc::Status::OK;
    };
  }
  const std::string target = "ipv4:" + servers[0].target() + "," + servers[1].target();
  const auto client = Client::Create({.target = target, .round_robin = true});
  while (!(reached[0] && reached[1])) EXPECT_TRUE(client->Classify({Uniform(1)}).ok());
  draining = true;
  for (int call = 0; call < 20; ++call) EXPECT_TRUE(client->Classify({Uniform(1)}).ok());
  EXPECT_GT(refused, 0);
}

TEST(Client, RefusesACallWithoutImagesOrWithoutTime) {
  const FakeServer server;
  const Client client = server.Connect();
  EXPECT_EQ(client.Classify({}).status().code(), absl::StatusCode::kInvalidArgument);
  const auto late = client.Classify({Uniform(1)}, {.timeout = -absl::Seconds(1)});
  EXPECT_EQ(late.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Client, CallsHaveTheirPriority) {
  std::atomic<v1::Priority> seen = v1::PRIORITY_UNSPECIFIED;
  FakeServer server;
  server.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                        v1::ClassifyResponse& response) {
    seen = request.priority();
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  const Client client = server.Connect();
  EXPECT_TRUE(client.Classify({Uniform(0)}, {.priority = Priority::kLow}).ok());
  EXPECT_EQ(seen.load(), v1::PRIORITY_LOW);
  EXPECT_TRUE(client.Classify({Uniform(0)}).ok());
  EXPECT_EQ(seen.load(), v1::PRIORITY_UNSPECIFIED);
  EXPECT_TRUE(client.ClassifyFuture({Uniform(0)}, {.priority = Priority::kLow}).get().ok());
  EXPECT_EQ(seen.load(), v1::PRIORITY_LOW);
  BatchingClient batching = BatchingClient::Create(client, {}).value();
  EXPECT_TRUE(batching.Classify(Uniform(0)).ok());
  EXPECT_EQ(seen.load(), v1::PRIORITY_UNSPECIFIED);
  BatchingClient low = BatchingClient::Create(client, {.priority = Priority::kLow}).value();
  EXPECT_TRUE(low.Classify(Uniform(0)).ok());
  EXPECT_EQ(seen.load(), v1::PRIORITY_LOW);
}

TEST(Client, CallsNameTheirModel) {
  Mutex mutex;
  std::string seen;
  FakeServer server;  // declared after what its handlers use
  const auto see = [&](const auto& request) {
    const MutexLock lock(&mutex);
    seen = request.has_model() ? request.model().name() + "/" + request.model().version() : "none";
  };
  const auto last_seen = [&] {
    const MutexLock lock(&mutex);
    return std::exchange(seen, "");
  };
  server.classify = [&](auto&, const v1::ClassifyRequest& request, v1::ClassifyResponse& response) {
    see(request);
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  server.get_model = [&](auto&, const v1::GetModelRequest& request,
                         v1::GetModelResponse& response) {
    see(request);
    response = FakeServer::ModelMessage();
    return grpc::Status::OK;
  };
  server.stream_answer = [&](const v1::ClassifyStreamRequest& request,
                             v1::ClassifyStreamResponse& response) {
    see(request);
    *response.mutable_result() = FakeServer::Answer(request.images());
    return true;
  };
  const Client client = server.Connect();
  const Client hedging = Client::Create({.target = server.target(),
                                         .default_timeout = absl::Minutes(1),
                                         .connections = 2,
                                         .hedge = HedgeOptions{.after = absl::Minutes(1)}})
                             .value();
  const std::vector<std::pair<ModelVersion, std::string>> cases = {
      {{}, "none"}, {{"mnist", "2"}, "mnist/2"}, {{"mnist", ""}, "mnist/"}, {{"", "2"}, "/2"}};
  for (const auto& [model, wanted] : cases) {
    const CallOptions options{.model = model};
    EXPECT_TRUE(client.Classify({Uniform(0)}, options).ok());
    EXPECT_EQ(last_seen(), wanted);
    EXPECT_TRUE(client.ClassifyFuture({Uniform(0)}, options).get().ok());
    EXPECT_EQ(last_seen(), wanted);
    EXPECT_TRUE(hedging.Classify({Uniform(0)}, options).ok());
    EXPECT_EQ(last_seen(), wanted);
    EXPECT_TRUE(client.GetModel(options).ok());
    EXPECT_EQ(last_seen(), wanted);
    BatchingClient batching = BatchingClient::Create(client, {.model = model}).value();
    EXPECT_TRUE(batching.Classify(Uniform(0)).ok());
    EXPECT_EQ(last_seen(), wanted);
    ClassifyStream stream = client.OpenStream(options).value();
    EXPECT_TRUE(stream.Send(1, {Uniform(0)}).ok());
    EXPECT_TRUE(stream.Finish().ok());
    EXPECT_EQ(last_seen(), wanted);
  }
}

// Returns the time to the deadline that the server saw, or nullopt if there was no deadline.
std::optional<absl::Duration> SeenDeadline(FakeServer& server, const Client& client,
                                           CallOptions options) {
  std::atomic<std::chrono::system_clock::time_point> deadline;
  server.classify = [&](grpc::ServerContext& context, const v1::ClassifyRequest& request,
                        v1::ClassifyResponse& response) {
    deadline = context.deadline();
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  EXPECT_TRUE(client.Classify({Uniform(0)}, options).ok());
  const absl::Duration left = absl::FromChrono(deadline.load()) - absl::Now();
  if (left > absl::Hours(24)) return std::nullopt;
  return left;
}

TEST(Client, EveryCallHasADeadline) {
  FakeServer server;
  const Client client = Client::Create({.target = server.target()}).value();
  const std::optional<absl::Duration> standard = SeenDeadline(server, client, {});
  ASSERT_TRUE(standard.has_value());
  EXPECT_GT(*standard, absl::Seconds(1));
  EXPECT_LE(*standard, absl::Seconds(6));
  const std::optional<absl::Duration> own =
      SeenDeadline(server, client, {.timeout = absl::Minutes(2)});
  ASSERT_TRUE(own.has_value());
  EXPECT_GT(*own, absl::Minutes(1));
  EXPECT_EQ(SeenDeadline(server, client, {.timeout = absl::InfiniteDuration()}), std::nullopt);
}

TEST(Client, GivesUpAtTheDeadline) {
  Notification release;
  FakeServer server;  // declared after what its handler uses
  server.get_model = [&](auto&, auto&, auto&) {
    release.Wait();
    return grpc::Status::OK;
  };
  const Client client = server.Connect();
  const auto model = client.GetModel({.timeout = absl::Milliseconds(50)});
  release.Notify();
  EXPECT_EQ(model.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(Message(model.status()), HasSubstr(server.target()));
}

TEST(Client, GivesTheCodeOfTheServer) {
  FakeServer server;
  const Client client = server.Connect();
  for (int code = 1; code <= 16; ++code) {
    server.classify = [code](auto&, auto&, auto&) {
      return grpc::Status(static_cast<grpc::StatusCode>(code), "the reason");
    };
    const absl::Status status = client.Classify({Uniform(0)}).status();
    EXPECT_EQ(static_cast<int>(status.code()), code);
    EXPECT_THAT(Message(status), HasSubstr("the reason"));
  }
}

TEST(Client, SaysWhichServerCannotBeReached) {
  FakeServer server;
  const Client client = server.Connect();
  server.Stop();
  const absl::Status status = client.Classify({Uniform(0)}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(Message(status), HasSubstr(server.target()));
  EXPECT_THAT(Message(status), HasSubstr("check the address"));
}

TEST(Client, RefusesAnswersThatBreakTheProtocol) {
  FakeServer server;
  const Client client = server.Connect();
  server.classify = [](auto&, auto&, auto&) { return grpc::Status::OK; };
  EXPECT_EQ(client.Classify({Uniform(0)}).status().code(), absl::StatusCode::kInternal);
  server.classify = [](auto&, auto&, v1::ClassifyResponse& response) {
    response.add_predictions()->add_log_probabilities(0);
    return grpc::Status::OK;
  };
  EXPECT_THAT(Message(client.Classify({Uniform(0)}).status()), HasSubstr("log-probabilities"));
  server.classify = [](auto&, const v1::ClassifyRequest& request, v1::ClassifyResponse& response) {
    response = FakeServer::Answer(request.images());
    response.mutable_predictions(0)->set_class_index(10);
    return grpc::Status::OK;
  };
  EXPECT_THAT(Message(client.Classify({Uniform(0)}).status()), HasSubstr("class index 10"));
}

TEST(Client, TakesAnyNumberOfClassesThatAModelMayHave) {
  FakeServer server;
  const Client client = server.Connect();
  for (const int classes : {1, 2, 26, 1024, 1025}) {
    server.classify = [classes](auto&, const v1::ClassifyRequest& request,
                                v1::ClassifyResponse& response) {
      response = FakeServer::Answer(request.images(), classes);
      return grpc::Status::OK;
    };
    server.get_model = [classes](auto&, auto&, v1::GetModelResponse& response) {
      response = FakeServer::ModelMessage(classes);
      return grpc::Status::OK;
    };
    const absl::StatusOr<ClassifyResult> result = client.Classify({Uniform(25)});
    const absl::StatusOr<ModelInfo> model = client.GetModel();
    if (classes == 1 || classes == 1025) {
      EXPECT_THAT(Message(result.status()), HasSubstr("2 to 1024 classes"));
      EXPECT_THAT(Message(model.status()), HasSubstr("2 to 1024 classes"));
      continue;
    }
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(std::ssize(result->predictions[0].log_probabilities), classes);
    EXPECT_EQ(result->predictions[0].class_index, 25 % classes);
    EXPECT_NEAR(result->predictions[0].Probability(25 % classes), 0.91, 1e-6);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(std::ssize(model->labels), classes);
  }
}

TEST(Client, RejectsImagesOfDifferentNumbersOfClasses) {
  FakeServer server;
  server.classify = [](auto&, const v1::ClassifyRequest& request, v1::ClassifyResponse& response) {
    response = FakeServer::Answer(request.images());
    response.mutable_predictions(1)->add_log_probabilities(-3);
    return grpc::Status::OK;
  };
  EXPECT_THAT(Message(server.Connect().Classify({Uniform(0), Uniform(1)}).status()),
              HasSubstr("11 log-probabilities for one image and 10 for another"));
}

TEST(Client, AsyncCallOutlivesTheClient) {
  Notification release;
  FakeServer server;  // declared after what its handler uses
  server.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                        v1::ClassifyResponse& response) {
    release.Wait();
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  Notification done;
  absl::StatusOr<ClassifyResult> result;
  {
    const Client client = server.Connect();
    client.ClassifyAsync({Uniform(6)}, {}, [&](absl::StatusOr<ClassifyResult> answer) {
      result = std::move(answer);
      done.Notify();
    });
  }
  EXPECT_FALSE(done.HasBeenNotified());
  release.Notify();
  done.Wait();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->predictions[0].class_index, 6);
}

// The client is destroyed on a thread of gRPC, and the last channel of the process takes that
// thread with it. There is no server in this process, because it would keep the threads.
TEST(Client, LastOneMayGoWithItsLastCallback) {
  for (int i = 0; i < 20; ++i) {
    Notification done;
    {
      const Client client = Client::Create({.target = "127.0.0.1:1"}).value();
      client.ClassifyAsync({Uniform(3)}, {}, [client, &done](const auto& answer) {
        EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable);
        done.Notify();
      });
    }
    done.Wait();
  }
}

TEST(Client, AsyncRefusalComesBeforeTheCallReturns) {
  const FakeServer server;
  int calls = 0;
  server.Connect().ClassifyAsync({}, {}, [&](const absl::StatusOr<ClassifyResult>& answer) {
    ++calls;
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kInvalidArgument);
  });
  EXPECT_EQ(calls, 1);
}

TEST(Client, DescribesTheModel) {
  const FakeServer server;
  const auto model = server.Connect().GetModel();
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(model->name, "fake");
  EXPECT_EQ(model->labels.size(), 10U);
  ASSERT_EQ(model->layers.size(), 1U);
  EXPECT_EQ(model->layers[0].operation, "Conv2d(1, 6, kernel 5x5)");
  EXPECT_THAT(model->layers[0].output_shape, ElementsAre(6, 28, 28));
  EXPECT_EQ(model->parameters, 61706);
  EXPECT_EQ(model->preprocessing.padding, 2);
  EXPECT_EQ(model->limits.queue_capacity, 64);
}

TEST(Client, ListsTheModels) {
  FakeServer server;
  server.list_models = [](v1::ListModelsResponse& response) {
    response = FakeServer::ModelsMessage();
    for (const int state : {0, 1, 3, 5, 6, 2, 99}) {
      response.add_models()->set_state(static_cast<v1::ModelStatus::State>(state));
      v1::Rollout& rollout = *response.mutable_models()->rbegin()->mutable_rollout();
      rollout.set_mode(static_cast<v1::Rollout::Mode>(state));
      rollout.set_share(0.25);
    }
    return grpc::Status::OK;
  };
  const absl::StatusOr<std::vector<ModelStatus>> models = server.Connect().ListModels();
  ASSERT_TRUE(models.ok()) << models.status();
  ASSERT_EQ(models->size(), 9U);
  const ModelStatus& failed = models->at(0);
  EXPECT_EQ(failed.model, (ModelVersion{"fake", "6"}));
  EXPECT_EQ(failed.state, ModelState::kFailed);
  EXPECT_EQ(failed.reason, "the weights are truncated");
  EXPECT_FALSE(failed.is_current || failed.is_default);
  const ModelStatus& current = models->at(1);
  EXPECT_EQ(current.model, (ModelVersion{"fake", "7"}));
  EXPECT_EQ(current.state, ModelState::kServing);
  EXPECT_EQ(current.reason, "");
  EXPECT_TRUE(current.is_current && current.is_default);
  std::vector<std::string> states;
  for (const ModelStatus& status : *models) states.push_back(ToString(status.state));
  EXPECT_THAT(states, ElementsAre("FAILED", "SERVING", "UNKNOWN", "LOADING", "DRAINING", "STANDBY",
                                  "ROLLED_BACK", "SERVING", "UNKNOWN"));
  EXPECT_FALSE(current.rollout.has_value());
  EXPECT_EQ(models->at(3).rollout->share, 0.25);
  EXPECT_EQ(ToString(models->at(2).rollout->mode), "UNKNOWN");
  EXPECT_EQ(ToString(models->at(3).rollout->mode), "SHADOW");
  EXPECT_EQ(ToString(models->at(7).rollout->mode), "CANARY");
  EXPECT_EQ(ToString(models->at(8).rollout->mode), "UNKNOWN");
}

TEST(Client, ListingModelsFailsAsOtherCallsDo) {
  FakeServer server;
  const Client client = server.Connect();
  server.list_models = [](auto&) { return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, ""); };
  EXPECT_EQ(client.ListModels().status().code(), absl::StatusCode::kUnimplemented);
  const auto late = client.ListModels({.timeout = absl::ZeroDuration()});
  EXPECT_EQ(late.status().code(), absl::StatusCode::kInvalidArgument);
  server.Stop();
  EXPECT_EQ(client.ListModels().status().code(), absl::StatusCode::kUnavailable);
}

TEST(Client, SpeaksTheStandardHealthProtocol) {
  const FakeServer server;
  const Client client = server.Connect();
  EXPECT_EQ(client.CheckHealth().value(), HealthStatus::kServing);
  EXPECT_EQ(client.CheckHealth("asleep").value(), HealthStatus::kNotServing);
  EXPECT_EQ(client.CheckHealth("nobody").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ToString(HealthStatus::kNotServing), "NOT_SERVING");
}

}  // namespace
}  // namespace hellocnn::client
