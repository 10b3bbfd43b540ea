#include "server/config/options.h"

#include <string>
#include <vector>

#include "base/cpu_quota.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/server/config/options_fixture.h"

namespace hellocnn::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using OptionsTest = OptionsFixture;

TEST_F(OptionsTest, DefaultsAreValidAndThreadsAreTheGrantedCpus) {
  const auto parsed = Parse({});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->action, ParsedOptions::Action::kServe);
  EXPECT_EQ(parsed->options.threads, GrantedCpus());
  EXPECT_EQ(parsed->options.max_batch_size, 32);
  EXPECT_EQ(parsed->options.max_queue_delay, absl::ZeroDuration());
  EXPECT_EQ(SourceOf(*parsed, "threads"), "default");
  EXPECT_EQ(parsed->options.engine, "auto");
  EXPECT_EQ(parsed->options.metrics, "on");
  EXPECT_EQ(parsed->sources.size(), 13);
}

TEST_F(OptionsTest, EveryOptionIsReadFromItsFlag) {
  const auto parsed =
      Parse({"--listen=[::]:1", "--metrics-listen=off", "--metrics=off", "--model=m",
             "--engine=simd", "--threads=2", "--max-batch-size=3", "--queue-capacity=4",
             "--max-queue-delay=200us", "--max-images-per-request=4", "--drain-timeout=1m30s",
             "--max-connection-age=5m", "--log-level", "debug"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const Options& options = parsed->options;
  EXPECT_EQ(options.listen, "[::]:1");
  EXPECT_EQ(options.metrics_listen, "off");
  EXPECT_EQ(options.metrics, "off");
  EXPECT_EQ(options.model, "m");
  EXPECT_EQ(options.engine, "simd");
  EXPECT_EQ(options.threads, 2);
  EXPECT_EQ(options.max_batch_size, 3);
  EXPECT_EQ(options.queue_capacity, 4);
  EXPECT_EQ(options.max_queue_delay, absl::Microseconds(200));
  EXPECT_EQ(options.max_images_per_request, 4);
  EXPECT_EQ(options.drain_timeout, absl::Seconds(90));
  EXPECT_EQ(options.max_connection_age, absl::Minutes(5));
  EXPECT_EQ(options.log_level, "debug");
}

TEST_F(OptionsTest, RejectionNamesOptionSourceValueAndWhatWasWanted) {
  EXPECT_EQ(Rejection({"--max-batch-size=0"}),
            "option max-batch-size (flag) is \"0\", wanted 1 to 1024 images");
  SetEnvironment("HELLOCNN_THREADS", "many");
  EXPECT_EQ(Rejection({}),
            "option threads (environment HELLOCNN_THREADS) is \"many\", wanted 1 to 1024 threads");
  EXPECT_EQ(
      Rejection({"--threads=1", WriteFile("log-level = \"loud\"\n")}),
      "option log-level (file " + file_ + ") is \"loud\", wanted debug, info, warn, error or off");
}

TEST_F(OptionsTest, BareNumberIsNoDuration) {
  EXPECT_THAT(Rejection({"--max-queue-delay=200"}),
              AllOf(HasSubstr("\"200\""), HasSubstr("with a unit"), HasSubstr("200us")));
  EXPECT_THAT(Rejection({"--drain-timeout=30"}), HasSubstr("30s"));
}

TEST_F(OptionsTest, ValuesOutOfRangeAreRejected) {
  for (const char* flag :
       {"--listen=nowhere", "--listen=host:70000", "--listen=:80", "--metrics-listen=on",
        "--threads=0", "--threads=-1", "--threads=2x", "--max-batch-size=4097",
        "--queue-capacity=31", "--queue-capacity=99999999999", "--max-queue-delay=-1us",
        "--max-queue-delay=2s", "--max-images-per-request=0", "--max-images-per-request=4097",
        "--drain-timeout=inf", "--log-level=INFO", "--engine=fast"}) {
    EXPECT_THAT(Rejection({flag}), HasSubstr("wanted")) << flag;
  }
}

TEST_F(OptionsTest, EndsOfEveryRangeAreAccepted) {
  for (const std::vector<std::string>& flags : std::vector<std::vector<std::string>>{
           {"--threads=1", "--max-batch-size=1", "--queue-capacity=1", "--max-images-per-request=1",
            "--max-queue-delay=0", "--drain-timeout=0s", "--max-connection-age=0", "--listen=h:0"},
           {"--threads=1024", "--max-batch-size=1024", "--queue-capacity=2147483647",
            "--max-images-per-request=500000", "--max-queue-delay=1s", "--drain-timeout=1h",
            "--max-connection-age=24h", "--listen=h:65535"},
           {"--max-connection-age=1s", "--queue-capacity=32", "--max-images-per-request=32"}}) {
    EXPECT_TRUE(Parse(flags).ok()) << flags[0] << " …: " << Parse(flags).status();
  }
  for (const char* flag :
       {"--max-connection-age=999ms", "--max-connection-age=24h1ns", "--max-queue-delay=1000001us",
        "--drain-timeout=3601s", "--max-batch-size=1025", "--threads=1025"}) {
    EXPECT_THAT(Rejection({flag}), HasSubstr("wanted")) << flag;
  }
}

TEST_F(OptionsTest, BoundsThatAreOptionsAreShownWithTheirValue) {
  EXPECT_EQ(Rejection({"--queue-capacity=31"}),
            "option queue-capacity (flag) is \"31\", wanted at least max-batch-size (32) images");
  EXPECT_EQ(Rejection({"--max-images-per-request=65", "--queue-capacity=64"}),
            "option max-images-per-request (flag) is \"65\", wanted 1 to queue-capacity (64) "
            "images, at most 500000");
  EXPECT_EQ(Rejection({"--max-images-per-request=500001", "--queue-capacity=600000"}),
            "option max-images-per-request (flag) is \"500001\", wanted 1 to queue-capacity "
            "(600000) images, at most 500000");
}

TEST_F(OptionsTest, ValidateNamesTheOption) {
  Options options;
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("threads is \"0\""));
  options.threads = 1;
  EXPECT_TRUE(options.Validate().ok());
  options.max_images_per_request = options.queue_capacity + 1;
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("max-images-per-request"));
}

TEST_F(OptionsTest, SmallQueueNeedsNoWordOnRequestSize) {
  const absl::StatusOr<ParsedOptions> parsed = Parse({"--queue-capacity=64"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.max_images_per_request, 64);
  EXPECT_FALSE(Parse({"--queue-capacity=64", "--max-images-per-request=65"}).ok());
}

}  // namespace
}  // namespace hellocnn::server
