#include "server/config/options.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/cpu_quota.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace hellocnn::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class OptionsTest : public ::testing::Test {
 protected:
  OptionsTest() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    file_ = ::testing::TempDir() + "options_" + test->name() + ".toml";
  }
  ~OptionsTest() override {
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
  // The message of a refusal.
  static std::string Refusal(std::vector<std::string> flags) {
    const absl::Status status = Parse(std::move(flags)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
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

TEST_F(OptionsTest, DefaultsAreValidAndThreadsAreTheGrantedCpus) {
  const auto parsed = Parse({});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->action, ParsedOptions::Action::kServe);
  EXPECT_EQ(parsed->options.threads, GrantedCpus());
  EXPECT_EQ(parsed->options.max_batch_size, 32);
  EXPECT_EQ(parsed->options.max_queue_delay, absl::ZeroDuration());
  EXPECT_EQ(SourceOf(*parsed, "threads"), "default");
  EXPECT_EQ(parsed->options.engine, "auto");
  EXPECT_EQ(parsed->sources.size(), 12);
}

TEST_F(OptionsTest, FlagWinsOverEnvironmentOverFileOverDefault) {
  const std::string config =
      WriteFile("listen = \"h:1\"\nmodel = \"file\"\nthreads = 7\nlog-level = \"warn\"\n");
  SetEnvironment("HELLOCNN_LISTEN", "h:2");
  SetEnvironment("HELLOCNN_MODEL", "environment");
  const auto parsed = Parse({config, "--listen=h:3"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.listen, "h:3");
  EXPECT_EQ(SourceOf(*parsed, "listen"), "flag");
  EXPECT_EQ(parsed->options.model, "environment");
  EXPECT_EQ(SourceOf(*parsed, "model"), "environment HELLOCNN_MODEL");
  EXPECT_EQ(parsed->options.threads, 7);
  EXPECT_EQ(SourceOf(*parsed, "threads"), "file " + file_);
  EXPECT_EQ(parsed->options.queue_capacity, 4096);
  EXPECT_EQ(SourceOf(*parsed, "queue-capacity"), "default");
}

TEST_F(OptionsTest, EveryOptionIsReadFromItsFlag) {
  const auto parsed =
      Parse({"--listen=[::]:1", "--metrics-listen=off", "--model=m", "--engine=simd", "--threads=2",
             "--max-batch-size=3", "--queue-capacity=4", "--max-queue-delay=200us",
             "--max-images-per-request=4", "--drain-timeout=1m30s", "--max-connection-age=5m",
             "--log-level", "debug"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const Options& options = parsed->options;
  EXPECT_EQ(options.listen, "[::]:1");
  EXPECT_EQ(options.metrics_listen, "off");
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

TEST_F(OptionsTest, FileMayHoldSpacesCommentsAndBracketedAddresses) {
  const auto parsed = Parse({WriteFile(
      "# where\nlisten = [::]:8500\n\nmodel = \"my models/1\"  # what\nmax-queue-delay = 1ms\n")});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.listen, "[::]:8500");
  EXPECT_EQ(parsed->options.model, "my models/1");
  EXPECT_EQ(parsed->options.max_queue_delay, absl::Milliseconds(1));
}

TEST_F(OptionsTest, EnvironmentCanNameTheFile) {
  WriteFile("threads = 3\n");
  SetEnvironment("HELLOCNN_CONFIG", file_);
  const auto parsed = Parse({});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.threads, 3);
}

TEST_F(OptionsTest, UnknownNamesAreRefusedWhereverTheyStand) {
  EXPECT_THAT(Refusal({"--max-batchsize=3"}), HasSubstr("--max-batchsize"));
  EXPECT_THAT(Refusal({"stray"}), HasSubstr("stray"));
  EXPECT_THAT(Refusal({"--model="}), HasSubstr("--model"));
  EXPECT_THAT(Refusal({WriteFile("thread = 3\n")}), AllOf(HasSubstr(file_), HasSubstr("thread ")));
  EXPECT_THAT(Refusal({WriteFile("[server]\nthreads = 3\n")}), HasSubstr("server"));
  SetEnvironment("HELLOCNN_BATCH", "3");
  EXPECT_THAT(Refusal({}), HasSubstr("HELLOCNN_BATCH"));
}

TEST_F(OptionsTest, FileIsNeverReadAsSomethingElseThanItSays) {
  EXPECT_THAT(Refusal({WriteFile("threads = 1\nmodel = \"a # b\"\n")}),
              AllOf(HasSubstr("line 2"), HasSubstr("cannot contain #")));
  EXPECT_THAT(Refusal({WriteFile("model = a#b\n")}), HasSubstr("cannot contain #"));
  EXPECT_THAT(Refusal({WriteFile("x\n")}), AllOf(HasSubstr("line 1"), HasSubstr("option = value")));
  const auto parsed = Parse({WriteFile("# all\n\n  # of\nmodel = \"a\" # it\n")});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.model, "a");
}

TEST_F(OptionsTest, EnvironmentOfTheClientIsNotRefused) {
  SetEnvironment("HELLOCNN_SERVER", "localhost:8500");
  EXPECT_TRUE(Parse({}).ok());
}

TEST_F(OptionsTest, RefusalNamesOptionSourceValueAndWhatWasWanted) {
  EXPECT_EQ(Refusal({"--max-batch-size=0"}),
            "option max-batch-size (flag) is \"0\", wanted 1 to 1024 images");
  SetEnvironment("HELLOCNN_THREADS", "many");
  EXPECT_EQ(Refusal({}),
            "option threads (environment HELLOCNN_THREADS) is \"many\", wanted 1 to 1024 threads");
  EXPECT_EQ(
      Refusal({"--threads=1", WriteFile("log-level = \"loud\"\n")}),
      "option log-level (file " + file_ + ") is \"loud\", wanted debug, info, warn, error or off");
}

TEST_F(OptionsTest, BareNumberIsNoDuration) {
  EXPECT_THAT(Refusal({"--max-queue-delay=200"}),
              AllOf(HasSubstr("\"200\""), HasSubstr("with a unit"), HasSubstr("200us")));
  EXPECT_THAT(Refusal({"--drain-timeout=30"}), HasSubstr("30s"));
}

TEST_F(OptionsTest, ValuesOutOfRangeAreRefused) {
  for (const char* flag :
       {"--listen=nowhere", "--listen=host:70000", "--listen=:80", "--metrics-listen=on",
        "--threads=0", "--threads=-1", "--threads=2x", "--max-batch-size=4097",
        "--queue-capacity=31", "--queue-capacity=99999999999", "--max-queue-delay=-1us",
        "--max-queue-delay=2s", "--max-images-per-request=0", "--max-images-per-request=4097",
        "--drain-timeout=inf", "--log-level=INFO", "--engine=fast"}) {
    EXPECT_THAT(Refusal({flag}), HasSubstr("wanted")) << flag;
  }
}

TEST_F(OptionsTest, ValidateNamesTheOption) {
  Options options;
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("threads is \"0\""));
  options.threads = 1;
  EXPECT_TRUE(options.Validate().ok());
  options.max_images_per_request = options.queue_capacity + 1;
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("max-images-per-request"));
}

TEST_F(OptionsTest, TheSameOptionTwiceIsRefused) {
  EXPECT_THAT(Refusal({"--threads=1", "--threads=2"}), HasSubstr("--threads"));
  EXPECT_THAT(Refusal({WriteFile("threads = 1\nmodel = m\nthreads = 2\n")}),
              HasSubstr("threads is given more than once"));
  EXPECT_THAT(Refusal({WriteFile("threads = 1\nthreads = 2\n")}),
              HasSubstr("threads is given more than once"));
}

TEST_F(OptionsTest, MissingFileIsRefusedByName) {
  EXPECT_THAT(Refusal({"--config=/nowhere/x.toml"}), HasSubstr("/nowhere/x.toml"));
}

TEST_F(OptionsTest, FlagWithoutAValueDoesNotTakeTheNextOne) {
  EXPECT_THAT(Refusal({"--model=", "--threads=2"}), HasSubstr("--model= has no value"));
}

TEST_F(OptionsTest, FolderIsNoFile) {
  EXPECT_THAT(Refusal({"--config=/tmp"}), HasSubstr("cannot read /tmp"));
}

TEST_F(OptionsTest, FileMayBeAPipe) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const std::string text = "# as of a shell's <()\nthreads = 7\n";
  ASSERT_EQ(write(ends[1], text.data(), text.size()), std::ssize(text));
  close(ends[1]);
  const auto parsed = Parse({"--config=/dev/fd/" + std::to_string(ends[0])});
  close(ends[0]);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.threads, 7);
}

TEST_F(OptionsTest, HelpTellsEveryOptionWithDefaultAndEnvironment) {
  const auto parsed = Parse({"--help"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->action, ParsedOptions::Action::kPrintAndExit);
  EXPECT_THAT(parsed->text,
              AllOf(HasSubstr("--max-batch-size=32"), HasSubstr("HELLOCNN_MAX_BATCH_SIZE"),
                    HasSubstr("--listen=127.0.0.1:8500"), HasSubstr("--max-queue-delay=0"),
                    HasSubstr("HELLOCNN_CONFIG"), HasSubstr("Examples")));
}

TEST_F(OptionsTest, VersionIsTheProjects) {
  const auto parsed = Parse({"--version"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed->text, MatchesRegex("hellocnn-server [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(OptionsTest, PrintedConfigurationIsAFileThatGivesTheSameOptions) {
  SetEnvironment("HELLOCNN_DRAIN_TIMEOUT", "1500ms");
  const auto printed = Parse(
      {"--print-config", "--listen=[::1]:0", "--model=my models", "--max-queue-delay=0.25ms"});
  ASSERT_TRUE(printed.ok()) << printed.status();
  EXPECT_EQ(printed->action, ParsedOptions::Action::kPrintAndExit);
  EXPECT_THAT(printed->text, HasSubstr("# environment HELLOCNN_DRAIN_TIMEOUT"));
  unsetenv("HELLOCNN_DRAIN_TIMEOUT");
  const auto read = Parse({WriteFile(printed->text)});
  ASSERT_TRUE(read.ok()) << read.status() << "\n" << printed->text;
  ASSERT_EQ(read->sources.size(), printed->sources.size());
  for (std::size_t i = 0; i < read->sources.size(); ++i) {
    EXPECT_EQ(read->sources[i].value, printed->sources[i].value) << read->sources[i].name;
    EXPECT_EQ(read->sources[i].source, "file " + file_);
  }
}

TEST_F(OptionsTest, SmallQueueNeedsNoWordOnRequestSize) {
  const absl::StatusOr<ParsedOptions> parsed = Parse({"--queue-capacity=64"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.max_images_per_request, 64);
  EXPECT_FALSE(Parse({"--queue-capacity=64", "--max-images-per-request=65"}).ok());
}

}  // namespace
}  // namespace hellocnn::server
