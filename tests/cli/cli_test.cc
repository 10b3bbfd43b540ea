// Tests the subcommands against a server in this process. cli_test.py tests them without a server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/mutex.h"
#include "cli/app.h"
#include "cli/images/render.h"
#include "tests/cli/cli_fixture.h"

namespace hellocnn::cli {
namespace {

using client::FakeServer;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Json = nlohmann::json;

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
  std::atomic<int> largest = 0;
  server_.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                         v1::ClassifyResponse& response) {
    int before = largest;
    while (request.images_size() > before &&
           !largest.compare_exchange_weak(before, request.images_size())) {
    }
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

TEST_F(CliTest, ClassifyHintsAtInvertWhereItIsNeeded) {
  const std::string header("\0\0\x08\x03\0\0\0\1\0\0\0\x1c\0\0\0\x1c", 16);
  const std::string file = folder_.Write("paper.idx", header + std::string(784, '\xff'));
  EXPECT_THAT(Run({"classify", file}).err, HasSubstr("add --invert, or use --fit mnist"));
  EXPECT_EQ(Run({"classify", "--invert", file}).err, "");
  const std::string dark = folder_.Write("dark.idx", header + std::string(784, '\0'));
  EXPECT_THAT(Run({"classify", "--invert", dark}).err, HasSubstr("leave --invert out"));
  // The preparation of pictures sees the polarity by itself.
  EXPECT_EQ(Run({"classify", WriteBar("bar.pgm", 7)}).err, "");
  EXPECT_THAT(Run({"classify", "--fit", "as-is", WriteBar("bar.pgm", 7)}).err,
              HasSubstr("add --invert, or use --fit mnist"));
}

TEST_F(CliTest, ClassifyHasOutcomesOfTheirOwnForNothingAndForSeveralDigits) {
  const std::string bar = WriteBar("bar.pgm", 7);
  const std::string blank = WriteBar("blank.pgm", 0);
  std::string pixels(90 * 60, '\xff');
  for (int y = 10; y < 50; ++y) {
    for (const int left : {20, 45, 70}) pixels.replace(y * 90 + left, 6, 6, '\0');
  }
  const std::string several = folder_.Write("several.pgm", "P5 90 60 255\n" + pixels);

  const Outcome text = Run({"classify", blank, several, bar});
  EXPECT_EQ(text.code, kExitFailed);
  EXPECT_THAT(text.out, HasSubstr(blank + "\n  there is nothing to see in this picture: "));
  EXPECT_THAT(text.out, HasSubstr("\n  more than one digit?"));
  EXPECT_THAT(text.out, HasSubstr("fake/7 answered in"));

  const Outcome json = Run({"classify", "--output", "json", blank, several, bar});
  EXPECT_EQ(json.code, kExitFailed);
  const Json results = Json::parse(json.out)["results"];
  ASSERT_EQ(results.size(), 3U);
  EXPECT_EQ(results[0]["outcome"], "nothing_to_see");
  EXPECT_THAT(results[0]["message"].get<std::string>(), HasSubstr("one colour"));
  EXPECT_FALSE(results[0].contains("label"));
  EXPECT_EQ(results[1]["outcome"], "several_digits");
  EXPECT_EQ(results[2]["outcome"], "digit");
  EXPECT_TRUE(results[2].contains("label"));
  EXPECT_EQ(Run({"classify", bar}).code, kExitOk);

  const Outcome lines = Run({"classify", "--output", "ndjson", blank, several, bar});
  EXPECT_EQ(lines.code, kExitFailed);
  std::istringstream in(lines.out);
  for (const Json& result : results) {
    std::string line;
    ASSERT_TRUE(std::getline(in, line));
    const Json object = Json::parse(line);
    for (const char* member : {"file", "outcome", "message", "label"}) {
      EXPECT_EQ(object.value(member, ""), result.value(member, "")) << member;
    }
  }

  const Outcome csv = Run({"classify", "--output", "csv", blank, several, bar});
  EXPECT_EQ(csv.code, kExitFailed);
  EXPECT_THAT(csv.out, HasSubstr("\n" + blank + ",0,nothing_to_see,,,"));
  EXPECT_THAT(csv.out, HasSubstr("\n" + several + ",0,several_digits,,,"));
  EXPECT_THAT(csv.out, HasSubstr("more than one digit?"));
  EXPECT_THAT(csv.out, HasSubstr("\n" + bar + ",0,digit,"));
}

// Returns the control characters in `text`, except for line ends.
std::string Controls(const std::string& text) {
  std::string controls;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080 to U+009F are 0xC2 and one more byte; terminals obey these too.
    const bool second_set =
        byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if ((byte < 0x20 && byte != '\n') || byte == 0x7F || second_set) controls += text[i];
  }
  return controls;
}

TEST_F(CliTest, NothingThatAServerSaysReachesATerminalRaw) {
  const std::string attack =
      "\x1b]0;owned\x07\r\x7f\xc2\x9b"
      "2J";
  server_.get_model = [attack](auto&, auto&, v1::GetModelResponse& response) {
    response = FakeServer::ModelMessage(10);
    response.mutable_model()->mutable_version()->set_name("name" + attack);
    response.mutable_model()->mutable_version()->set_version("version" + attack);
    for (std::string& label : *response.mutable_model()->mutable_class_labels()) label += attack;
    response.mutable_model()->mutable_layers(0)->set_name("layer" + attack);
    response.mutable_model()->mutable_layers(0)->set_operator_("operator" + attack);
    return grpc::Status::OK;
  };
  server_.classify = [attack](auto&, const v1::ClassifyRequest& request,
                              v1::ClassifyResponse& response) {
    response = FakeServer::Answer(request.images());
    for (v1::Prediction& prediction : *response.mutable_predictions())
      prediction.set_label("label" + attack);
    return grpc::Status::OK;
  };
  server_.list_models = [attack](v1::ListModelsResponse& response) {
    v1::ModelStatus& status = *response.add_models();
    status.mutable_version()->set_name("name" + attack);
    status.mutable_version()->set_version("version" + attack);
    status.set_state(v1::ModelStatus::STATE_FAILED);
    status.set_reason("reason" + attack + "\nhellocnn: forged");
    return grpc::Status::OK;
  };
  WriteTestSet({0, 0, 5, 0});
  const std::string file =
      folder_.Write("file" + attack + ".pgm", ReadFile(WriteBar("bar.pgm", 7)));
  const std::vector<std::vector<std::string>> commands = {
      {"describe"},
      {"describe", "--output", "json"},
      {"describe", "--model", "other" + attack},
      {"describe", "--model", "other"},
      {"load", "--requests", "4", "--model-version", "other"},
      {"models"},
      {"models", "--output", "json"},
      {"classify", file, "missing" + attack},
      {"classify", "--output", "json", file, "missing" + attack},
      {"classify", "--output", "ndjson", file, "missing" + attack},
      {"classify", "--files-from", "missing" + attack},
      {"evaluate", "--data", folder_.path()},
      {"evaluate", "--data", folder_.path(), "--output", "json"},
      {"evaluate", "--data", "missing" + attack},
      {"health", "--service", attack},
      {"load", "--requests", "4"},
      {"load", "--requests", "4", "--output", "json"},
      {"load", "--requests", "4", "--output", "csv"},
      {"load", "--requests", "4", "--server-metrics", "http://127.0.0.1:1/" + attack},
      {"load", "--data", "missing" + attack},
      {"load", "--arrivals", "missing" + attack},
      {"load", "--html", "/missing/" + attack},
      {"load", "compare", "missing" + attack, file},
      {"load", "compare", file, file},
      {"tune", "--slo", "p99=5ms", "--server-binary", "missing" + attack},
      {"tune", "--slo", "p99=5ms", "--server-binary", "/bin/echo", "--server-option", attack},
      {"--tls-ca", "missing" + attack, "health"},
      {"--timeout", attack, "health"},
      {"--proxy", "http://" + attack, "health"},
      {attack},
      {"classify", "--top", attack, file},
      {"load", "--concurrency", attack},
      {"load", "--slo", attack},
      {"load", "--duration", attack},
      {"load", "compare", "a", "b", "--fail-if", attack},
      {"completion", attack}};
  for (const std::vector<std::string>& command : commands) {
    SCOPED_TRACE(command.front() + " " + command.back());
    const Outcome outcome = Run(command);
    EXPECT_NE(outcome.out + outcome.err, "");
    EXPECT_EQ(Controls(outcome.out), "") << outcome.out;
    EXPECT_EQ(Controls(outcome.err), "") << outcome.err;
  }
  server_.classify = [attack](auto&, const v1::ClassifyRequest&, v1::ClassifyResponse&) {
    return grpc::Status(grpc::StatusCode::INTERNAL, "message" + attack + "\nhellocnn: forged");
  };
  for (const std::string format : {"text", "json", "ndjson"}) {
    const Outcome outcome = Run({"classify", "--output", format, file});
    EXPECT_EQ(Controls(outcome.out + outcome.err), "") << outcome.out << outcome.err;
    EXPECT_THAT(outcome.err, Not(HasSubstr("\nhellocnn: forged")));
  }
  for (const std::string format : {"text", "json"}) {
    const Outcome outcome = Run({"load", "--requests", "4", "--output", format});
    EXPECT_EQ(Controls(outcome.out + outcome.err), "") << outcome.out << outcome.err;
  }
}

// What the terminal shows is what was sent.
TEST_F(CliTest, ClassifyDrawsWhatTheNetworkSees) {
  Mutex mutex;
  std::string received;
  server_.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                         v1::ClassifyResponse& response) {
    const MutexLock lock(&mutex);
    received = request.images(0).gray8();
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  const Outcome outcome = Run({"classify", WriteBar("bar.pgm", 7)});
  const MutexLock lock(&mutex);
  const std::string& sent = received;
  ASSERT_EQ(sent.size(), 1024U);
  std::vector<std::uint8_t> grey(sent.begin(), sent.end());
  EXPECT_THAT(outcome.out, HasSubstr("bar.pgm\n" + Draw(grey, Style::kPlain)));
}

TEST_F(CliTest, ClassifyWritesALineForEachImageInOrder) {
  WriteTestSet(std::vector<std::uint8_t>(200, 0));
  const std::string set = folder_.path() + "/t10k-images-idx3-ubyte";
  const std::string missing = folder_.path() + "/a, b.png";

  const Outcome lines = Run({"classify", "--output", "ndjson", set, missing, WriteDigit(3)});
  EXPECT_EQ(lines.code, kExitFailed);
  std::vector<Json> objects;
  std::istringstream in(lines.out);
  for (std::string line; std::getline(in, line);) objects.push_back(Json::parse(line));
  ASSERT_EQ(objects.size(), 202U);  // all images, not the first 10
  for (int i = 0; i < 200; ++i) EXPECT_EQ(objects[i]["index"], i);
  EXPECT_EQ(objects[200]["outcome"], "error");
  EXPECT_EQ(objects[200]["code"], "NOT_FOUND");
  EXPECT_EQ(objects[201]["label"], "3");

  const Outcome csv = Run({"classify", "--output", "csv", "--limit", "2", set, missing});
  EXPECT_EQ(csv.code, kExitFailed);
  EXPECT_THAT(csv.out, StartsWith("file,index,outcome,label,probability,message\n" + set +
                                  ",0,digit,0,0.91,\n" + set + ",1,digit,0,0.91,\n\"" + missing +
                                  "\",0,error,,,\""));
}

TEST_F(CliTest, ClassifyWaitsWhileTheQueueOfTheServerIsFull) {
  std::atomic<int> calls = 0;
  server_.classify = [&](grpc::ServerContext&, const v1::ClassifyRequest& request,
                         v1::ClassifyResponse& response) {
    if (++calls == 1) return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "full");
    response = FakeServer::Answer(request.images());
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"classify", WriteDigit(3)}).code, kExitOk);
  EXPECT_EQ(calls, 2);
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

TEST_F(CliTest, HintsAtWhatMendsTheImagesIfChanceCannotExplainIt) {
  // A model that knows light digits on dark, of which all here are threes.
  server_.classify = [](auto&, const v1::ClassifyRequest& request, v1::ClassifyResponse& response) {
    google::protobuf::RepeatedPtrField<v1::Image> images;
    for (const v1::Image& image : request.images()) {
      const bool dark = image.gray8()[16 * 32 + 16] == '\0';
      images.Add()->set_gray8(std::string(1024, dark ? '\3' : '\x8'));
    }
    response = FakeServer::Answer(images);
    return grpc::Status::OK;
  };
  const auto write = [&](int count) {
    WriteTestSet(std::vector<std::uint8_t>(static_cast<std::size_t>(count), 3));
    std::string images("\0\0\x08\x03\0\0\0\0\0\0\0\x1c\0\0\0\x1c", 16);
    images[7] = static_cast<char>(count);
    folder_.Write("t10k-images-idx3-ubyte",
                  images + std::string(static_cast<std::size_t>(count) * 784, '\xff'));
  };
  write(20);
  const std::string hint =
      "hint: of 20 of these images, 0.0% are right as they were sent, but "
      "100.0% with --invert\n";
  EXPECT_THAT(Run({"evaluate", "--data", folder_.path()}).err, HasSubstr(hint));
  EXPECT_EQ(Run({"evaluate", "--data", folder_.path(), "--invert"}).err, "");
  EXPECT_THAT(Run({"load", "--requests", "20", "--warm-up", "0", "--data", folder_.path()}).err,
              HasSubstr(hint));
  EXPECT_EQ(
      Run({"load", "--requests", "20", "--warm-up", "0", "--data", folder_.path(), "--invert"}).err,
      "");
  EXPECT_EQ(Run({"load", "--invert"}).code, kExitUsage);
  // Of three images, all may be right by chance.
  write(3);
  EXPECT_EQ(Run({"evaluate", "--data", folder_.path()}).err, "");
}

TEST_F(CliTest, ModelsMayHaveOtherNumbersOfClasses) {
  for (const int classes : {2, 26}) {
    server_.classify = [classes](auto&, const v1::ClassifyRequest& request,
                                 v1::ClassifyResponse& response) {
      response = FakeServer::Answer(request.images(), classes);
      return grpc::Status::OK;
    };
    server_.get_model = [classes](auto&, auto&, v1::GetModelResponse& response) {
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
  server_.get_model = [](auto&, auto&, v1::GetModelResponse& response) {
    response = FakeServer::ModelMessage(2);
    return grpc::Status::OK;
  };
  WriteTestSet({0, 2});
  const Outcome outcome = Run({"evaluate", "--data", folder_.path()});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.err, HasSubstr("label 1 is 2; wanted 0 to 1, for 2 classes"));
}

TEST_F(CliTest, ClassifySaysThatTheModelHasChanged) {
  server_.get_model = [](auto&, auto&, v1::GetModelResponse& response) {
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
