// Tests the subcommands against a server in this process. cli_test.py tests them without a server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/app.h"
#include "tests/client/fake_server.h"
#include "tests/testing/files.h"

namespace hellocnn::cli {
namespace {

using client::FakeServer;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Json = nlohmann::json;

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

class CliTest : public testing::Test {
 protected:
  // Writes 32x32 grey levels, which the fake server classifies as `digit`.
  std::string WriteDigit(int digit) {
    return folder_.Write(std::to_string(digit) + ".raw",
                         std::string(1024, static_cast<char>(digit)));
  }

  // Writes blank digits, which the fake server classifies as 0, with these labels.
  void WriteTestSet(const std::vector<std::uint8_t>& labels) {
    const char count = static_cast<char>(labels.size());
    std::string images("\0\0\x08\x03\0\0\0\0\0\0\0\x1c\0\0\0\x1c", 16);
    images[7] = count;
    folder_.Write("t10k-images-idx3-ubyte", images + std::string(labels.size() * 784, '\0'));
    std::string header("\0\0\x08\x01\0\0\0\0", 8);
    header[7] = count;
    folder_.Write("t10k-labels-idx1-ubyte", header + std::string(labels.begin(), labels.end()));
  }

  Outcome Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"hellocnn", "--server", server_.target()});
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = Main(static_cast<int>(argv.size()), argv.data());
    return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
  }

  FakeServer server_;
  TemporaryDirectory folder_;
};

TEST_F(CliTest, ClassifyDrawsAndNamesTheDigit) {
  const std::string file = WriteDigit(7);
  const Outcome outcome = Run({"classify", file});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_THAT(outcome.out, StartsWith(file + "\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\n  7  91.00%  ###########################\n"));
  EXPECT_THAT(outcome.out, HasSubstr("fake/7 answered in "));
  EXPECT_THAT(outcome.out, Not(HasSubstr("\x1b")));
  EXPECT_EQ(outcome.err, "");
}

TEST_F(CliTest, ClassifyGoesOnAfterABadFile) {
  const std::string missing = folder_.path() + "/missing.png";
  const Outcome outcome =
      Run({"classify", missing, WriteDigit(3), folder_.Write("bad.png", "nonsense")});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.out, HasSubstr("3  91.00%"));
  EXPECT_THAT(outcome.err,
              HasSubstr("hellocnn: " + missing + ": there is no such file [NOT_FOUND]\n"));
  EXPECT_THAT(outcome.err, HasSubstr("bad.png: this is not a picture"));
}

TEST_F(CliTest, ClassifyPrintsOneJsonDocument) {
  const Outcome outcome = Run({"classify", "--output", "json", "--top", "2", WriteDigit(3),
                               WriteDigit(8), folder_.path() + "/missing.png"});
  EXPECT_EQ(outcome.code, kExitFailed);
  const Json document = Json::parse(outcome.out);
  ASSERT_EQ(document["results"].size(), 2U);
  EXPECT_EQ(document["results"][1]["label"], "8");
  EXPECT_EQ(document["results"][1]["top"].size(), 2U);
  EXPECT_EQ(document["results"][1]["log_probabilities"].size(), 10U);
  EXPECT_EQ(document["results"][0]["timing"]["batch_size"], 3);
  ASSERT_EQ(document["errors"].size(), 1U);
  EXPECT_EQ(document["errors"][0]["code"], "NOT_FOUND");
  EXPECT_EQ(document["model"]["version"], "7");
}

TEST_F(CliTest, ClassifyKeepsToTheServersLimit) {
  int largest = 0;
  server_.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                         v1::ClassifyResponse& response) {
    largest = std::max(largest, request.images_size());
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  WriteTestSet(std::vector<std::uint8_t>(40, 0));
  const Outcome outcome = Run({"classify", "--output", "json", "--limit", "35",
                               folder_.path() + "/t10k-images-idx3-ubyte"});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_EQ(largest, 16);
  const Json document = Json::parse(outcome.out);
  ASSERT_EQ(document["results"].size(), 35U);
  EXPECT_EQ(document["results"][34]["index"], 34);
  EXPECT_THAT(outcome.err, HasSubstr("the first 35 of 40 images"));
}

TEST_F(CliTest, ClassifyHintsAtInvert) {
  const std::string file = folder_.Write("paper.raw", std::string(784, '\xff'));
  EXPECT_THAT(Run({"classify", file}).err, HasSubstr("try --invert"));
  EXPECT_EQ(Run({"classify", "--invert", file}).err, "");
}

TEST_F(CliTest, EvaluateCountsWhatIsRight) {
  WriteTestSet({0, 0, 5, 0, 0, 0, 0});
  const Outcome outcome = Run({"evaluate", "--data", folder_.path(), "--batch", "2"});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("fake/7: 6 of 7 right, 85.71%"));
  EXPECT_THAT(outcome.out, HasSubstr("          5    1    ."));
  EXPECT_THAT(outcome.out, HasSubstr("images/s"));
  EXPECT_EQ(outcome.err, "");  // no progress in a pipe
}

TEST_F(CliTest, EvaluatePrintsJson) {
  WriteTestSet({0, 0, 5, 0, 0, 0, 0});
  const Outcome outcome =
      Run({"evaluate", "--data", folder_.path(), "--limit", "4", "--output", "json"});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  const Json document = Json::parse(outcome.out);
  EXPECT_EQ(document["images"], 4);
  EXPECT_EQ(document["accuracy"], 0.75);
  EXPECT_EQ(document["confusion"][5][0], 1);
}

TEST_F(CliTest, EvaluateRefusesABatchThatTheServerWould) {
  WriteTestSet({0});
  const Outcome outcome = Run({"evaluate", "--data", folder_.path(), "--batch", "17"});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.err, HasSubstr("--batch is 17; the server takes at most 16"));
}

TEST_F(CliTest, ModelsMayHaveOtherNumbersOfClasses) {
  for (const int classes : {2, 26}) {
    server_.classify = [classes](auto&, const v1::ClassifyRequest& request,
                                 v1::ClassifyResponse& response) {
      response = FakeServer::Answer(request.images(), classes);
      return grpc::Status::OK;
    };
    server_.get_model = [classes](auto&, v1::GetModelResponse& response) {
      response = FakeServer::ModelMessage(classes);
      return grpc::Status::OK;
    };
    const Outcome classified =
        Run({"classify", "--top", "1024", "--output", "json", WriteDigit(25)});
    EXPECT_EQ(classified.code, kExitOk) << classified.err;
    const Json result = Json::parse(classified.out)["results"][0];
    EXPECT_EQ(result["class_index"], 25 % classes);
    EXPECT_EQ(std::ssize(result["log_probabilities"]), classes);
    EXPECT_EQ(std::ssize(result["top"]), classes);
    EXPECT_THAT(Run({"classify", WriteDigit(1)}).out, HasSubstr(" 1  91.00%  #####"));
    WriteTestSet({0, 1, 0});
    const Outcome evaluated = Run({"evaluate", "--data", folder_.path(), "--output", "json"});
    EXPECT_EQ(evaluated.code, kExitOk) << evaluated.err;
    EXPECT_EQ(std::ssize(Json::parse(evaluated.out)["confusion"]), classes);
  }
}

TEST_F(CliTest, EvaluateRejectsLabelsThatTheModelDoesNotHave) {
  server_.get_model = [](auto&, v1::GetModelResponse& response) {
    response = FakeServer::ModelMessage(2);
    return grpc::Status::OK;
  };
  WriteTestSet({0, 2});
  const Outcome outcome = Run({"evaluate", "--data", folder_.path()});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.err, HasSubstr("label 1 is 2; the model has 2 classes"));
}

TEST_F(CliTest, ClassifySaysThatTheModelHasChanged) {
  server_.get_model = [](auto&, v1::GetModelResponse& response) {
    response = FakeServer::ModelMessage(9);
    return grpc::Status::OK;
  };
  const Outcome outcome = Run({"classify", WriteDigit(3)});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.err, HasSubstr("changed from 9 classes to 10"));
}

TEST_F(CliTest, DescribeShowsModelAndLimits) {
  const Outcome outcome = Run({"describe"});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("fake, version 7\n"));
  EXPECT_THAT(outcome.out, HasSubstr("96.00%"));
  EXPECT_THAT(outcome.out, HasSubstr("16 images a request"));
  EXPECT_THAT(outcome.out,
              HasSubstr("28x28, padded by 2 with black, (grey / 255 - 0.1307) / 0.3081\n"));
  EXPECT_EQ(Json::parse(Run({"describe", "--output", "json"}).out)["limits"]["queue_capacity"], 64);
}

TEST_F(CliTest, HealthIsTheExitCode) {
  EXPECT_EQ(Run({"health"}).code, kExitOk);
  EXPECT_EQ(Run({"health"}).out, "SERVING\n");
  const Outcome asleep = Run({"health", "--service", "asleep"});
  EXPECT_EQ(asleep.code, kExitFailed);
  EXPECT_EQ(asleep.out, "NOT_SERVING\n");
  EXPECT_THAT(Run({"health", "--service", "nobody"}).err, HasSubstr("has no service 'nobody'"));
}

}  // namespace
}  // namespace hellocnn::cli
