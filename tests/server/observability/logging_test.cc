#include "server/observability/logging/logging.h"

#include <spdlog/spdlog.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

TEST(LoggingTest, LinesOfTheLevelGoToStderrWithATimestampInUtc) {
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(SetUpLogging("info").ok());
  spdlog::debug("hidden");
  spdlog::info("model {} loaded", "mnist");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              MatchesRegex("[0-9]+-[0-9]+-[0-9]+T[0-9:]+\\.[0-9]+Z info model mnist loaded\n"));
}

TEST(LoggingTest, OffIsSilent) {
  ::testing::internal::CaptureStderr();
  ASSERT_TRUE(SetUpLogging("off").ok());
  spdlog::critical("hidden");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(LoggingTest, UnknownLevelIsRefusedByName) {
  const absl::Status status = SetUpLogging("loud");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"loud\""));
}

}  // namespace
}  // namespace hellocnn::server
