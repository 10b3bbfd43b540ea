#include "server/observability/logging/logging.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class LoggingTest : public ::testing::Test {
 protected:
  void Start(const std::string& level, const std::string& format = "text") {
    ::testing::internal::CaptureStderr();
    logging_ = *Logging::Start(level, format);
  }
  std::string End() {
    logging_ = nullptr;
    return ::testing::internal::GetCapturedStderr();
  }

  std::unique_ptr<Logging> logging_;
};

TEST_F(LoggingTest, LinesOfTheLevelGoToStderrWithATimestampInUtc) {
  Start("info");
  spdlog::debug("hidden");
  spdlog::info("model {} loaded", "mnist");
  EXPECT_THAT(End(),
              MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9:]+\\.[0-9]+Z info model mnist loaded\n"));
}

TEST_F(LoggingTest, MessagesAreOneLineWithoutControlCharacters) {
  Start("info");
  spdlog::info("model {} loaded", "\x1b[2Jü\n2026-01-01T00:00:00.000Z info ready");
  EXPECT_THAT(End(), MatchesRegex("[^\n]*Z info model \\\\x1b\\[2Jü\\\\n2026[^\n]*ready loaded\n"));
}

TEST_F(LoggingTest, OffIsSilent) {
  Start("off");
  spdlog::critical("hidden");
  LogLine("hidden").Write(spdlog::level::critical);
  EXPECT_EQ(End(), "");
}

TEST_F(LoggingTest, JsonIsAnObjectALine) {
  Start("debug", "json");
  spdlog::warn("a \"quote\"\n and \xff");
  LogLine("with fields")
      .Add("word", "two words")
      .Add("count", std::int64_t{3})
      .Add("took", absl::Microseconds(1500))
      .Write(spdlog::level::info);
  const std::string lines = End();
  const std::size_t end = lines.find('\n');
  const auto first = nlohmann::json::parse(lines.substr(0, end));
  const auto second = nlohmann::json::parse(lines.substr(end + 1));
  EXPECT_EQ(first["level"], "warning");
  EXPECT_EQ(first["message"], "a \"quote\"\n and \xef\xbf\xbd");
  EXPECT_THAT(first["time"].get<std::string>(), MatchesRegex("[0-9-]+T[0-9:.]+Z"));
  EXPECT_EQ(second["message"], "with fields");
  EXPECT_EQ(second["word"], "two words");
  EXPECT_EQ(second["count"], 3);
  EXPECT_EQ(second["took_ms"], 1.5);
}

// Standard error is a pipe that nobody reads.
TEST_F(LoggingTest, AFullPipeDropsLinesAndNeverBlocks) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const int saved = dup(STDERR_FILENO);
  const std::int64_t before = Logging::DroppedLines();
  ASSERT_EQ(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
  {
    auto logging = Logging::Start("info", "text");
    ASSERT_TRUE(logging.ok());
    for (int i = 0; i < 10 * Logging::kBufferedLines; ++i)
      spdlog::info("{}", std::string(200, 'x'));
  }
  dup2(saved, STDERR_FILENO);
  // The pipe takes 64 KiB, and the rest is counted.
  std::string taken(1 << 20, '\0');
  taken.resize(static_cast<std::size_t>(read(ends[0], taken.data(), taken.size())));
  const auto lines = std::count(taken.begin(), taken.end(), '\n');
  EXPECT_GT(lines, 100);
  EXPECT_EQ(Logging::DroppedLines() - before, 10 * Logging::kBufferedLines - lines);
  for (const int descriptor : {ends[0], ends[1], saved}) close(descriptor);
}

TEST_F(LoggingTest, WhatCannotBeWrittenIsCounted) {
  const int saved = dup(STDERR_FILENO);
  const int full = open("/dev/full", O_WRONLY);
  const std::int64_t before = Logging::DroppedLines();
  ASSERT_EQ(dup2(full, STDERR_FILENO), STDERR_FILENO);
  {
    auto logging = Logging::Start("info", "text");
    spdlog::info("lost");
  }
  dup2(saved, STDERR_FILENO);
  close(full);
  close(saved);
  EXPECT_EQ(Logging::DroppedLines() - before, 1);
}

TEST_F(LoggingTest, UnknownLevelsAndFormatsAreRejectedByName) {
  const absl::Status level = Logging::Start("loud", "text").status();
  EXPECT_EQ(level.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(level.message()), HasSubstr("\"loud\""));
  const absl::Status format = Logging::Start("info", "xml").status();
  EXPECT_EQ(format.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(format.message()), HasSubstr("\"xml\""));
}

}  // namespace
}  // namespace hellocnn::server
