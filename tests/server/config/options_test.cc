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
  EXPECT_EQ(parsed->sources.size(), 41);
}

TEST_F(OptionsTest, EveryOptionIsReadFromItsFlag) {
  const auto parsed = Parse({"--listen=[::]:1",
                             "--transport=http2",
                             "--metrics-listen=off",
                             "--metrics=off",
                             "--model=m",
                             "--model-versions=latest:2",
                             "--default-model=n",
                             "--model-poll-interval=3s",
                             "--rollback-window=4s",
                             "--model-control=on",
                             "--engine=simd",
                             "--threads=2",
                             "--max-batch-size=3",
                             "--queue-capacity=4",
                             "--max-queue-delay=200us",
                             "--queue-policy=fifo",
                             "--max-images-per-request=4",
                             "--drain-delay=7s",
                             "--drain-timeout=1m30s",
                             "--max-connection-age=5m",
                             "--log-level",
                             "debug",
                             "--log-format=json",
                             "--log-slow-requests=2s",
                             "--access-log-sample=100"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const Options& options = parsed->options;
  EXPECT_EQ(options.listen, "[::]:1");
  EXPECT_EQ(options.transport, "http2");
  EXPECT_EQ(options.metrics_listen, "off");
  EXPECT_EQ(options.metrics, "off");
  EXPECT_EQ(options.model, "m");
  EXPECT_EQ(options.model_versions, "latest:2");
  EXPECT_EQ(options.default_model, "n");
  EXPECT_EQ(options.model_poll_interval, absl::Seconds(3));
  EXPECT_EQ(options.rollback_window, absl::Seconds(4));
  EXPECT_EQ(options.model_control, "on");
  EXPECT_EQ(options.engine, "simd");
  EXPECT_EQ(options.threads, 2);
  EXPECT_EQ(options.max_batch_size, 3);
  EXPECT_EQ(options.queue_capacity, 4);
  EXPECT_EQ(options.max_queue_delay, absl::Microseconds(200));
  EXPECT_EQ(options.queue_policy, "fifo");
  EXPECT_EQ(options.max_images_per_request, 4);
  EXPECT_EQ(options.drain_delay, absl::Seconds(7));
  EXPECT_EQ(options.drain_timeout, absl::Seconds(90));
  EXPECT_EQ(options.max_connection_age, absl::Minutes(5));
  EXPECT_EQ(options.log_level, "debug");
  EXPECT_EQ(options.log_format, "json");
  EXPECT_EQ(options.log_slow_requests, absl::Seconds(2));
  EXPECT_EQ(options.access_log_sample, 100);
}

TEST_F(OptionsTest, LimitsForClientsAreReadWithTheTransportThatHasThem) {
  const std::vector<std::string> flags = {
      "--max-connections=10",    "--max-connections-per-address=9", "--idle-timeout=0s",
      "--keepalive-interval=2m", "--keepalive-timeout=3s",          "--buffer-memory=128"};
  std::vector<std::string> all = flags;
  all.emplace_back("--transport=http2");
  const auto parsed = Parse(all);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.max_connections, 10);
  EXPECT_EQ(parsed->options.max_connections_per_address, 9);
  EXPECT_EQ(parsed->options.idle_timeout, absl::ZeroDuration());
  EXPECT_EQ(parsed->options.keepalive_interval, absl::Minutes(2));
  EXPECT_EQ(parsed->options.keepalive_timeout, absl::Seconds(3));
  EXPECT_EQ(parsed->options.buffer_memory, 128);
  for (const std::string& flag : flags) {
    EXPECT_THAT(Rejection({flag, "--transport=grpc"}), HasSubstr("the transport grpc has no such"))
        << flag;
  }
  EXPECT_EQ(Rejection({"--idle-timeout=5m", "--transport=grpc"}),
            "option idle-timeout (flag) is \"5m\", but the transport grpc has no such option; "
            "wanted transport http2, or the default, 30m");
}

TEST_F(OptionsTest, FilesForTlsComeTogether) {
  const auto parsed =
      Parse({"--transport=http2", "--tls-cert=c.pem", "--tls-key=k.pem", "--tls-client-ca=a.pem"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.tls_cert, "c.pem");
  EXPECT_EQ(parsed->options.tls_key, "k.pem");
  EXPECT_EQ(parsed->options.tls_client_ca, "a.pem");
  EXPECT_EQ(Rejection({"--transport=http2", "--tls-cert=c.pem"}),
            "option tls-cert is \"c.pem\" and tls-key is \"off\", wanted both or none");
  EXPECT_EQ(Rejection({"--transport=http2", "--tls-key=k.pem"}),
            "option tls-cert is \"off\" and tls-key is \"k.pem\", wanted both or none");
  EXPECT_THAT(Rejection({"--transport=http2", "--tls-client-ca=a.pem"}),
              HasSubstr("wanted tls-cert and tls-key as well"));
  EXPECT_EQ(parsed->options.tls_ports, "grpc,http");
  EXPECT_TRUE(UsesTls(parsed->options, "http"));
  EXPECT_FALSE(UsesTls(parsed->options, "metrics"));
  EXPECT_EQ(
      Rejection({"--tls-client-names=a", "--tls-cert=c.pem", "--tls-key=k.pem"}),
      "option tls-client-names is \"a\" and tls-client-ca is \"off\", wanted tls-client-ca as "
      "well");
  EXPECT_THAT(Rejection({"--tls-ports=metrics"}), HasSubstr("wanted tls-cert and tls-key as well"));
  EXPECT_EQ(Rejection({"--tls-ports=grpc,https", "--tls-cert=c.pem", "--tls-key=k.pem"}),
            "option tls-ports (flag) is \"grpc,https\", wanted some of grpc, http and metrics, "
            "separated by commas");
  for (const char* bad : {"http,http", "http,", ",", "off", "http, grpc"}) {
    EXPECT_THAT(Rejection({std::string("--tls-ports=") + bad}), HasSubstr("wanted some of grpc"));
  }
  for (const char* bad : {"a.example,,b.example", "a.example, b.example", "IP:a"}) {
    EXPECT_THAT(Rejection({std::string("--tls-client-names=") + bad}),
                HasSubstr("wanted names such as shop.example"));
  }
  EXPECT_THAT(Rejection({"--transport=grpc", "--tls-cert=c.pem", "--tls-key=k.pem"}),
              HasSubstr("the transport grpc has no such option; wanted transport http2"));
}

// A file that --print-config has written has them all.
TEST_F(OptionsTest, DefaultsOfOptionsThatTheTransportLacksAreNoError) {
  const auto parsed = Parse({"--idle-timeout=30m", "--transport=grpc"});
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  Options options;
  options.threads = 1;
  EXPECT_TRUE(options.Validate().ok());
  options.buffer_memory = 65;
  options.transport = "grpc";
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("buffer-memory"));
}

TEST_F(OptionsTest, LoweringTheConnectionsLowersThoseOfAnAddress) {
  const auto parsed = Parse({"--max-connections=10", "--transport=http2"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.max_connections_per_address, 10);
  EXPECT_THAT(Rejection({"--max-connections-per-address=5000", "--transport=http2"}),
              HasSubstr("1 to max-connections (4096) connections"));
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

TEST_F(OptionsTest, AUnixSocketIsAnAddressForGrpcAlone) {
  const auto parsed = Parse({"--listen=unix:/run/hellocnn.sock"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.listen, "unix:/run/hellocnn.sock");
  EXPECT_THAT(
      Rejection({"--listen=unix:hellocnn.sock"}),
      HasSubstr("option listen (flag) is \"unix:hellocnn.sock\": no absolute path follows"));
  EXPECT_THAT(Rejection({"--listen=unix:/" + std::string(107, 'a')}),
              HasSubstr("the path has 108 bytes; the path of a Unix socket has at most 107"));
  EXPECT_THAT(Rejection({"--metrics-listen=unix:/run/hellocnn.sock"}), HasSubstr("host:port"));
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

TEST_F(OptionsTest, BadAddressesAreToldWhatIsWrong) {
  EXPECT_EQ(
      Rejection({"--listen=127.0.0.1:104036"}),
      "option listen (flag) is \"127.0.0.1:104036\": the port is too large; wanted at most 65535");
  EXPECT_THAT(Rejection({"--metrics-listen=::1:9464"}),
              AllOf(HasSubstr("needs brackets"), HasSubstr(", or off")));
  for (const char* address : {"::1:80", "a b:1", "h:1/", "http://h:1", "h:+1", "[h]:1", "h:"}) {
    EXPECT_THAT(Rejection({std::string("--listen=") + address}), HasSubstr(address));
  }
}

TEST_F(OptionsTest, MistypedChoicesAreToldTheNearest) {
  EXPECT_EQ(Rejection({"--log-level=inof"}),
            "option log-level (flag) is \"inof\": wanted debug, info, warn, error or off; did you "
            "mean info?");
  EXPECT_THAT(Rejection({"--engine=SIMD"}), HasSubstr("did you mean simd?"));
}

TEST_F(OptionsTest, EndsOfEveryRangeAreAccepted) {
  for (const std::vector<std::string>& flags : std::vector<std::vector<std::string>>{
           {"--threads=1", "--max-batch-size=1", "--queue-capacity=1", "--max-images-per-request=1",
            "--max-queue-delay=0", "--drain-delay=0s", "--drain-timeout=0s",
            "--max-connection-age=0", "--listen=h:0"},
           {"--threads=1024", "--max-batch-size=1024", "--queue-capacity=2147483647",
            "--max-images-per-request=500000", "--max-queue-delay=1s", "--drain-delay=1h",
            "--drain-timeout=1h", "--max-connection-age=24h", "--listen=h:65535"},
           {"--max-connection-age=1s", "--queue-capacity=32", "--max-images-per-request=32"}}) {
    EXPECT_TRUE(Parse(flags).ok()) << flags[0] << " …: " << Parse(flags).status();
  }
  for (const char* flag : {"--max-connection-age=999ms", "--max-connection-age=24h1ns",
                           "--max-queue-delay=1000001us", "--drain-delay=3601s",
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
