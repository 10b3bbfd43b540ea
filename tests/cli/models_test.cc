// Tests the options that name a model, and the subcommand that lists models.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "tests/cli/cli_fixture.h"

namespace hellocnn::cli {
namespace {

using client::FakeServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::json;

// Makes the server have fake/7, the default model, and letters/1 and letters/2. Returns what each
// call names.
class TwoModels {
 public:
  explicit TwoModels(FakeServer& server) {
    server.get_model = [this](auto&, const v1::GetModelRequest& request,
                              v1::GetModelResponse& response) {
      const grpc::Status status = Choose("GetModel", request.model());
      if (!status.ok()) return status;
      response = FakeServer::ModelMessage();
      Complete(request.model(), *response.mutable_model()->mutable_version());
      return status;
    };
    server.classify = [this](auto&, const v1::ClassifyRequest& request,
                             v1::ClassifyResponse& response) {
      const grpc::Status status = Choose("Classify", request.model());
      if (!status.ok()) return status;
      response = FakeServer::Answer(request.images());
      Complete(request.model(), *response.mutable_model());
      return status;
    };
  }

  // Returns the different calls since the last time, such as "Classify letters/2".
  std::set<std::string> Seen() {
    const MutexLock lock(&mutex_);
    return std::exchange(seen_, {});
  }

 private:
  grpc::Status Choose(const std::string& method, const v1::ModelVersion& model) {
    const MutexLock lock(&mutex_);
    seen_.insert(method + " " + model.name() + "/" + model.version());
    if (model.name() != "absent") return grpc::Status::OK;
    return {grpc::StatusCode::NOT_FOUND, "there is no model \"absent\""};
  }
  static void Complete(const v1::ModelVersion& asked, v1::ModelVersion& model) {
    model.set_name(asked.name().empty() ? "fake" : asked.name());
    model.set_version(asked.version().empty() ? "7" : asked.version());
  }

  Mutex mutex_;
  std::set<std::string> seen_ ABSL_GUARDED_BY(mutex_);
};

class ModelOptionTest : public CliTest {
 protected:
  ~ModelOptionTest() override { server_.Stop(); }  // before what its handlers use
  TwoModels models_{server_};
};

TEST_F(ModelOptionTest, EachCommandUsesTheModelThatItIsTold) {
  WriteTestSet({0, 0, 5, 0, 0, 0});
  const std::string file = WriteDigit(3);
  const std::vector<std::vector<std::string>> commands = {
      {"classify", file},
      {"evaluate", "--data", folder_.path()},
      {"load", "--requests", "4", "--warm-up", "0"},
      {"load", "--requests", "4", "--warm-up", "0", "--data", folder_.path()}};
  const std::vector<std::pair<std::vector<std::string>, std::string>> choices = {
      {{}, "/"},
      {{"--model", "letters"}, "letters/"},
      {{"--model-version", "2"}, "/2"},
      {{"--model", "letters", "--model-version", "2"}, "letters/2"}};
  for (const auto& [options, wanted] : choices) {
    for (std::vector<std::string> command : commands) {
      SCOPED_TRACE(command.front() + " " + wanted);
      command.insert(command.end(), options.begin(), options.end());
      const Outcome outcome = Run(command);
      EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
      EXPECT_THAT(models_.Seen(), ElementsAre("Classify " + wanted, "GetModel " + wanted));
    }
    std::vector<std::string> describe = {"describe"};
    describe.insert(describe.end(), options.begin(), options.end());
    EXPECT_EQ(Run(describe).code, kExitOk);
    EXPECT_THAT(models_.Seen(), ElementsAre("GetModel " + wanted));
  }
  EXPECT_THAT(Run({"describe", "--model", "letters", "--model-version", "2"}).out,
              HasSubstr("letters, version 2\n"));
  EXPECT_THAT(Run({"load", "--requests", "4", "--model", "letters"}).out,
              HasSubstr("letters/7 at "));
}

TEST_F(ModelOptionTest, EvaluateComparesTwoVersions) {
  WriteTestSet({0, 0, 5});
  std::vector<std::string> command = {
      "evaluate",        "--data", folder_.path(),      "--model", "letters",
      "--model-version", "1",      "--compare-version", "2"};
  const Outcome outcome = Run(command);
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_THAT(models_.Seen(), ElementsAre("Classify letters/1", "Classify letters/2",
                                          "GetModel letters/1", "GetModel letters/2"));
  EXPECT_THAT(outcome.out, HasSubstr("A is letters/1, and B is letters/2.\n"));
  EXPECT_THAT(outcome.out, HasSubstr("Of 3 images, A has 66.67% right and B has 66.67%.\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\n0 images changed class.\n"));
  command.insert(command.end(), {"--output", "json"});
  EXPECT_EQ(Json::parse(Run(command).out)["comparison"]["both_right"], 2);
}

// What evaluate and load try, to give a hint, they try with the same model.
TEST_F(ModelOptionTest, HintsAreAboutTheModelThatTheCommandUses) {
  WriteTestSet(std::vector<std::uint8_t>(20, 5));
  EXPECT_EQ(Run({"evaluate", "--data", folder_.path(), "--model", "letters"}).code, kExitOk);
  EXPECT_EQ(Run({"load", "--requests", "4", "--data", folder_.path(), "--model", "letters"}).code,
            kExitOk);
  EXPECT_THAT(models_.Seen(), ElementsAre("Classify letters/", "GetModel letters/"));
}

TEST_F(ModelOptionTest, AModelThatIsNotServedIsNotFound) {
  WriteTestSet({0});
  const std::vector<std::vector<std::string>> commands = {
      {"classify", WriteDigit(3)}, {"evaluate", "--data", folder_.path()}, {"describe"}};
  for (std::vector<std::string> command : commands) {
    SCOPED_TRACE(command.front());
    command.insert(command.end(), {"--model", "absent"});
    const Outcome outcome = Run(command);
    EXPECT_EQ(outcome.code, kExitFailed);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.err,
              "hellocnn: there is no model \"absent\"; `hellocnn models` lists the server's models "
              "[NOT_FOUND]\n");
  }
  const Outcome load = Run({"load", "--requests", "4", "--model", "absent"});
  EXPECT_EQ(load.code, kExitFailed);
  EXPECT_THAT(load.err, HasSubstr("there is no model \"absent\""));
}

// A model may be taken away while a command runs. Each image would fail alike.
TEST_F(CliTest, ClassifyEndsWhenTheModelIsGone) {
  std::atomic<int> calls = 0;
  server_.classify = [&](auto&, auto&, auto&) {
    ++calls;
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "there is no model \"fake\"");
  };
  WriteTestSet(std::vector<std::uint8_t>(200, 0));
  const std::string set = folder_.path() + "/t10k-images-idx3-ubyte";
  const Outcome outcome = Run({"classify", "--output", "ndjson", set, set, set, set});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.err, HasSubstr("there is no model \"fake\" [NOT_FOUND]"));
  EXPECT_LT(calls, 4 * 200 / 16);
  server_.Stop();
}

// A server that knows nothing of several models ignores the field, and uses the one that it has.
TEST_F(CliTest, AServerThatIgnoresTheModelIsNoticed) {
  WriteTestSet({0});
  const std::vector<std::vector<std::string>> commands = {{"classify", WriteDigit(3)},
                                                          {"evaluate", "--data", folder_.path()},
                                                          {"describe"},
                                                          {"load", "--requests", "4"}};
  for (const std::vector<std::string>& command : commands) {
    SCOPED_TRACE(command.front());
    const auto with = [&](const std::string& option, const std::string& value) {
      std::vector<std::string> arguments = command;
      arguments.insert(arguments.end(), {option, value});
      return Run(arguments);
    };
    EXPECT_EQ(with("--model", "fake").code, kExitOk);
    EXPECT_EQ(with("--model-version", "7").code, kExitOk);
    for (const std::string option : {"--model", "--model-version"}) {
      const Outcome outcome = with(option, "other");
      EXPECT_EQ(outcome.code, kExitFailed);
      EXPECT_THAT(outcome.err, HasSubstr("the server has chosen model 'fake', version '7'"));
    }
  }
}

TEST_F(CliTest, ModelsIsATableOfTheVersions) {
  server_.list_models = [](v1::ListModelsResponse& response) {
    response = FakeServer::ModelsMessage();
    v1::ModelStatus& other = *response.add_models();
    other.mutable_version()->set_name("letters");
    other.mutable_version()->set_version("2024-01");
    other.set_state(v1::ModelStatus::STATE_SERVING);
    other.set_is_current(true);
    v1::ModelStatus& candidate = *response.add_models();
    candidate.mutable_version()->set_name("letters");
    candidate.mutable_version()->set_version("2024-02");
    candidate.set_state(v1::ModelStatus::STATE_SERVING);
    candidate.mutable_rollout()->set_mode(v1::Rollout::MODE_SHADOW);
    candidate.mutable_rollout()->set_share(0.125);
    response.add_models()->set_state(v1::ModelStatus::STATE_LOADING);
    return grpc::Status::OK;
  };
  const Outcome outcome = Run({"models"});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_EQ(outcome.out, Run({"model", "list"}).out);
  EXPECT_EQ(outcome.out,
            "model    version  state    role                        reason\n"
            "fake     6        FAILED                               the weights are truncated\n"
            "fake     7        SERVING  current, default\n"
            "letters  2024-01  SERVING  current\n"
            "letters  2024-02  SERVING  candidate, shadow of 12.5%\n"
            "                  LOADING\n");
  EXPECT_EQ(outcome.err, "");
  server_.list_models = [](v1::ListModelsResponse&) { return grpc::Status::OK; };
  EXPECT_EQ(Run({"models"}).out, "The server has no models.\n");
}

TEST_F(CliTest, ModelsPrintsJson) {
  const Outcome outcome = Run({"models", "--output", "json"});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_EQ(Json::parse(outcome.out), Json::parse(R"({"models": [
      {"name": "fake", "version": "6", "state": "FAILED", "is_current": false,
       "is_default": false, "reason": "the weights are truncated"},
      {"name": "fake", "version": "7", "state": "SERVING", "is_current": true,
       "is_default": true, "reason": ""}]})"));
  server_.list_models = [](v1::ListModelsResponse&) { return grpc::Status::OK; };
  EXPECT_EQ(Json::parse(Run({"models", "--output", "json"}).out)["models"], Json::array());
}

TEST_F(CliTest, ModelsSaysThatAServerCannotListThem) {
  server_.list_models = [](auto&) { return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, ""); };
  const Outcome outcome = Run({"models"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr("cannot list its models; `hellocnn describe` shows"));
  EXPECT_THAT(outcome.err, HasSubstr("[UNIMPLEMENTED]"));
}

}  // namespace
}  // namespace hellocnn::cli
