// Runs subcommands against a server in this process, and catches what they print.
#ifndef HELLOCNN_TESTS_CLI_CLI_FIXTURE_H_
#define HELLOCNN_TESTS_CLI_CLI_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cli/app.h"
#include "tests/client/fake_server.h"
#include "tests/testing/files.h"

namespace hellocnn::cli {

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

class CliTest : public ::testing::Test {
 protected:
  // Writes an IDX file with one image of 32x32, which the fake server classifies as `digit`.
  std::string WriteDigit(int digit) {
    const std::string header("\0\0\x08\x03\0\0\0\1\0\0\0\x20\0\0\0\x20", 16);
    return folder_.Write(std::to_string(digit) + ".idx",
                         header + std::string(1024, static_cast<char>(digit)));
  }

  // Writes a picture with a bar in it that is `width` pixels wide.
  std::string WriteBar(const std::string& name, int width) {
    std::string pixels(60 * 60, '\xff');
    for (int y = 10; y < 50; ++y) pixels.replace(y * 60 + 20, width, width, '\0');
    return folder_.Write(name, "P5 60 60 255\n" + pixels);
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

  // Runs a command that asks the server.
  Outcome Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--server", server_.target()});
    return RunAlone(std::move(arguments));
  }

  Outcome RunAlone(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "hellocnn");
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = Main(static_cast<int>(argv.size()), argv.data());
    Outcome outcome{code, ::testing::internal::GetCapturedStdout(),
                    ::testing::internal::GetCapturedStderr()};
    // Else nobody would see what a sanitizer has to say.
    EXPECT_THAT(outcome.err, ::testing::Not(::testing::HasSubstr("Sanitizer")));
    return outcome;
  }

  client::FakeServer server_;
  TemporaryDirectory folder_;
};

}  // namespace hellocnn::cli

#endif  // HELLOCNN_TESTS_CLI_CLI_FIXTURE_H_
