// What the tests of options share: an environment and a file of a test's own, and shorthands.
#ifndef HELLOCNN_TESTS_SERVER_CONFIG_OPTIONS_FIXTURE_H_
#define HELLOCNN_TESTS_SERVER_CONFIG_OPTIONS_FIXTURE_H_

#include <gtest/gtest.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "server/config/options.h"

namespace hellocnn::server {

class OptionsFixture : public ::testing::Test {
 protected:
  OptionsFixture() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    file_ = ::testing::TempDir() + "options_" + test->name() + ".toml";
    // The user's own would be read, or warned of.
    std::vector<std::string> own;
    for (char** variable = environ; *variable != nullptr; ++variable) {
      const std::string name(*variable, strcspn(*variable, "="));
      if (name.rfind("HELLOCNN_", 0) == 0) own.push_back(name);
    }
    for (const std::string& name : own) unsetenv(name.c_str());
  }
  ~OptionsFixture() override {
    for (const std::string& name : set_) unsetenv(name.c_str());
    std::filesystem::remove(file_);
  }

  void SetEnvironment(const std::string& name, const std::string& value) {
    setenv(name.c_str(), value.c_str(), /*overwrite=*/1);
    set_.push_back(name);
  }
  // Returns the flag that names the file.
  std::string WriteFile(const std::string& text) {
    std::ofstream(file_) << text;
    return "--config=" + file_;
  }
  static absl::StatusOr<ParsedOptions> Parse(std::vector<std::string> flags) {
    std::vector<const char*> argv = {"hellocnn-server"};
    for (const std::string& flag : flags) argv.push_back(flag.c_str());
    return ParseOptions(static_cast<int>(argv.size()), argv.data());
  }
  // The message of a rejection.
  static std::string Rejection(std::vector<std::string> flags) {
    const absl::Status status = Parse(std::move(flags)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  }
  // The names of all options, in the order of the table.
  static std::vector<std::string> AllOptions() {
    const absl::StatusOr<ParsedOptions> parsed = Parse({});
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    std::vector<std::string> names;
    if (parsed.ok()) {
      for (const OptionSource& option : parsed->sources) names.push_back(option.name);
    }
    EXPECT_FALSE(names.empty());
    return names;
  }
  static std::string SourceOf(const ParsedOptions& parsed, const std::string& name) {
    for (const OptionSource& source : parsed.sources) {
      if (source.name == name) return source.source;
    }
    return "none";
  }

  std::string file_;
  std::vector<std::string> set_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_TESTS_SERVER_CONFIG_OPTIONS_FIXTURE_H_
