#include "server/observability/logging/request_log.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/observability/logging/logging.h"
#include "tests/testing/fake_clock.h"

namespace hellocnn::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr absl::StatusCode kOk = absl::StatusCode::kOk;
constexpr absl::StatusCode kFull = absl::StatusCode::kResourceExhausted;
constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
constexpr absl::Duration kFast = absl::Milliseconds(1);

class RequestLogTest : public ::testing::Test {
 protected:
  void Start(const std::string& level, const std::string& format = "text") {
    ::testing::internal::CaptureStderr();
    logging_ = *Logging::Start(level, format);
  }
  std::string End() {
    logging_ = nullptr;
    return ::testing::internal::GetCapturedStderr();
  }
  // Returns whether the request was logged.
  bool Tell(RequestLog& log, absl::StatusCode code, absl::Duration duration = kFast) {
    const auto line = log.Next(code, duration);
    if (line.has_value()) log.Write(*line, {.method = "Classify", .code = code, .peer = "a"});
    return line.has_value();
  }
  int Logged(RequestLog& log, int requests, absl::StatusCode code,
             absl::Duration duration = kFast) {
    int logged = 0;
    for (int i = 0; i < requests; ++i) logged += Tell(log, code, duration) ? 1 : 0;
    return logged;
  }

  testing::FakeClock clock_;
  std::unique_ptr<Logging> logging_;
};

TEST_F(RequestLogTest, WhatIsFineAndFastIsNotLogged) {
  RequestLog log({.slow = absl::Seconds(1)}, &clock_);
  EXPECT_FALSE(Tell(log, kOk, absl::Milliseconds(999)));
  EXPECT_TRUE(Tell(log, kOk, absl::Seconds(1)));
}

TEST_F(RequestLogTest, OfManyOfAKindMostAreLeftOutAndCounted) {
  Start("info");
  RequestLog log({}, &clock_);
  EXPECT_EQ(Logged(log, 1000, kFull), 10);
  EXPECT_EQ(Logged(log, 1000, kInvalid), 10);                       // a kind of its own
  EXPECT_EQ(Logged(log, 1000, kOk, absl::InfiniteDuration()), 10);  // and another
  clock_.Advance(absl::Seconds(2));
  EXPECT_EQ(Logged(log, 1000, kFull), 2);
  const std::string lines = End();
  EXPECT_THAT(lines, HasSubstr("code=RESOURCE_EXHAUSTED duration_ms=0.0 images=0 peer=a"));
  EXPECT_THAT(lines, HasSubstr("left_out=990\n"));
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 32);
}

TEST_F(RequestLogTest, DebugLeavesNothingOut) {
  Start("debug");
  RequestLog log({}, &clock_);
  EXPECT_EQ(Logged(log, 100, kFull), 100);
  End();
}

TEST_F(RequestLogTest, ASampleIsOneOfSoMany) {
  RequestLog all({.sample = 1}, &clock_);
  RequestLog some({.sample = 10}, &clock_);
  EXPECT_EQ(Logged(all, 100, kOk), 100);
  EXPECT_EQ(Logged(some, 100, kOk), 10);
}

TEST_F(RequestLogTest, EachLineHasAnIdOfItsOwn) {
  Start("info");
  RequestLog log({}, &clock_);
  Tell(log, kFull);
  Tell(log, kFull);
  const std::string lines = End();
  const std::string key = "request_id=";
  const std::size_t first = lines.find(key);
  const std::size_t second = lines.find(key, first + 1);
  ASSERT_NE(second, std::string::npos);
  EXPECT_NE(lines.substr(first, 27), lines.substr(second, 27));
}

TEST_F(RequestLogTest, WhatCallersSendIsDataInBothFormats) {
  const RequestLog::Request request = {.method = "Classify",
                                       .code = kInvalid,
                                       .message = "no \"digit\"\nline\x1b[2J",
                                       .rejected = "invalid",
                                       .peer = "10.0.0.1",
                                       .request_id = "a b=c",
                                       .traceparent = std::string_view("\xff\0", 2)};
  for (const std::string format : {"text", "json"}) {
    Start("info", format);
    RequestLog log({}, &clock_);
    log.Write(*log.Next(kInvalid, kFast), request);
    const std::string line = End();
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
    EXPECT_THAT(line, Not(HasSubstr("\x1b")));
    EXPECT_THAT(line,
                HasSubstr(format == "text" ? "request_id=\"a b=c\"" : "\"request_id\":\"a b=c\""));
    EXPECT_THAT(line, HasSubstr(R"(no \"digit\")"));
  }
}

TEST_F(RequestLogTest, ALineIsNeverTooLongForAPipe) {
  const std::string hostile(100000, '\x01');
  for (const std::string format : {"text", "json"}) {
    Start("info", format);
    RequestLog log({}, &clock_);
    log.Write(*log.Next(kInvalid, kFast), {.method = "Classify",
                                           .code = kInvalid,
                                           .message = hostile,
                                           .peer = hostile,
                                           .request_id = hostile,
                                           .traceparent = hostile});
    spdlog::info("{}", hostile);
    const std::string lines = End();
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2);
    EXPECT_LE(lines.find('\n'), 4095U);
    EXPECT_LE(lines.size(), 2 * 4096U);
    if (format == "json") {
      EXPECT_THAT(lines, ::testing::EndsWith("\"}\n"));
    }
  }
}

}  // namespace
}  // namespace hellocnn::server
