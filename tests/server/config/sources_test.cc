#include "server/config/sources.h"

#include <unistd.h>

#include <array>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "base/cpu_quota.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/config/options.h"
#include "tests/server/config/options_fixture.h"

namespace hellocnn::server {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

using OptionSourcesTest = OptionsFixture;

TEST_F(OptionSourcesTest, FlagWinsOverEnvironmentOverFileOverDefault) {
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

TEST_F(OptionSourcesTest, FileMayHoldSpacesCommentsAndBracketedAddresses) {
  const auto parsed = Parse({WriteFile(
      "# where\nlisten = [::]:8500\n\nmodel = \"my models/1\"  # what\nmax-queue-delay = 1ms\n")});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.listen, "[::]:8500");
  EXPECT_EQ(parsed->options.model, "my models/1");
  EXPECT_EQ(parsed->options.max_queue_delay, absl::Milliseconds(1));
}

TEST_F(OptionSourcesTest, EnvironmentCanNameTheFile) {
  WriteFile("threads = 3\n");
  SetEnvironment("HELLOCNN_CONFIG", file_);
  const auto parsed = Parse({});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.threads, 3);
}

TEST_F(OptionSourcesTest, UnknownNamesAreRejectedWhereverTheyStand) {
  EXPECT_THAT(Rejection({"--max-batchsize=3"}), HasSubstr("--max-batchsize"));
  EXPECT_THAT(Rejection({"stray"}), HasSubstr("stray"));
  EXPECT_THAT(Rejection({"--model="}), HasSubstr("--model"));
  EXPECT_THAT(Rejection({WriteFile("thread = 3\n")}),
              AllOf(HasSubstr(file_), HasSubstr("thread ")));
  EXPECT_THAT(Rejection({WriteFile("[server]\nthreads = 3\n")}), HasSubstr("server"));
}

TEST_F(OptionSourcesTest, MistypedNamesAreToldTheNearestOption) {
  EXPECT_THAT(Rejection({"--max-batchsize=3"}), HasSubstr("did you mean --max-batch-size?"));
  EXPECT_THAT(Rejection({"--thread", "3"}), HasSubstr("did you mean --threads?"));
  EXPECT_THAT(Rejection({"--hepl"}), HasSubstr("did you mean --help?"));
  EXPECT_EQ(Rejection({"3", "--lissten", "x"}),
            "--lissten is not an option; did you mean --listen?");
  EXPECT_EQ(Rejection({"stray"}), "\"stray\" is not expected; wanted --option=value, see --help");
  EXPECT_THAT(Rejection({"--configuration=x"}), HasSubstr("see --help"));
  EXPECT_THAT(Rejection({WriteFile("log_level = info\n")}), HasSubstr("did you mean log-level?"));
  EXPECT_THAT(Rejection({WriteFile("port = 3\n")}), HasSubstr("see --help"));
}

TEST_F(OptionSourcesTest, UnknownVariablesAreWarningsThatNameTheNearestOption) {
  SetEnvironment("HELLOCNN_TREADS", "0");
  SetEnvironment("HELLOCNN_BATCH", "3");
  SetEnvironment("HELLOCNN_CONFIGS", "/nowhere");
  SetEnvironment("HELLOCNN_", "");
  SetEnvironment("HELLOCNN2_THREADS", "0");
  const auto parsed = Parse({});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(
      parsed->warnings,
      UnorderedElementsAre(
          "environment variable HELLOCNN_TREADS is ignored, because it is not an option; did you "
          "mean HELLOCNN_THREADS?",
          "environment variable HELLOCNN_CONFIGS is ignored, because it is not an option; did you "
          "mean HELLOCNN_CONFIG?",
          "environment variable HELLOCNN_BATCH is ignored, because it is not an option; see --help",
          "environment variable HELLOCNN_ is ignored, because it is not an option; see --help"));
  EXPECT_EQ(parsed->options.threads, GrantedCpus());
}

TEST_F(OptionSourcesTest, NamesOfVariablesAreEscapedInWarnings) {
  SetEnvironment("HELLOCNN_A\nB\x1b", "");
  SetEnvironment("HELLOCNN_\n_PORT", "");
  const auto parsed = Parse({});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->warnings, ElementsAre(HasSubstr("HELLOCNN_A\\nB\\x1b is ignored"),
                                            EndsWith("HELLOCNN_\\n_PORT")));
}

TEST_F(OptionSourcesTest, KnownVariablesAreStillCheckedBesideUnknownOnes) {
  SetEnvironment("HELLOCNN_TREADS", "3");
  SetEnvironment("HELLOCNN_THREADS", "0");
  EXPECT_THAT(Rejection({}), HasSubstr("option threads (environment HELLOCNN_THREADS) is \"0\""));
}

TEST_F(OptionSourcesTest, VariablesOfServicesAreIgnoredInOneWarning) {
  SetEnvironment("HELLOCNN_SERVICE_HOST", "10.96.0.1");
  SetEnvironment("HELLOCNN_PORT", "tcp://10.96.0.1:8500");
  SetEnvironment("HELLOCNN_METRICS_PORT", "");
  const auto parsed = Parse({});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(
      parsed->warnings,
      ElementsAre(AllOf(HasSubstr("enableServiceLinks"),
                        EndsWith("HELLOCNN_METRICS_PORT, HELLOCNN_PORT, HELLOCNN_SERVICE_HOST"))));
}

TEST_F(OptionSourcesTest, ServiceVariablesAreToldByTheirForm) {
  for (const char* variable :
       {"HELLOCNN_SERVICE_HOST", "HELLOCNN_SERVICE_PORT", "HELLOCNN_SERVICE_PORT_GRPC",
        "HELLOCNN_PORT", "HELLOCNN_PORT_8500_TCP", "HELLOCNN_PORT_8500_TCP_PROTO",
        "HELLOCNN_PORT_8500_TCP_PORT", "HELLOCNN_PORT_8500_TCP_ADDR", "HELLOCNN_X_PORT_1_UDP",
        "HELLOCNN_X_Y_PORT_132_SCTP_ADDR", "HELLOCNN_THREADS_PORT"}) {
    EXPECT_TRUE(IsServiceVariable(variable)) << variable;
  }
  for (const char* variable :
       {"HELLOCNN_THREADS", "HELLOCNN_PORTS", "HELLOCNN_PORT_TCP", "HELLOCNN_PORT_x_TCP",
        "HELLOCNN_8500_TCP", "HELLOCNN_PORT_8500_ICMP", "HELLOCNN_SERVICE", "OTHER_SERVICE_HOST",
        "HELLOCNN_SERVER"}) {
    EXPECT_FALSE(IsServiceVariable(variable)) << variable;
  }
}

TEST_F(OptionSourcesTest, NoServiceCanSetAnOption) {
  EXPECT_TRUE(IsServiceVariable(EnvironmentName("metrics-port")));
  EXPECT_FALSE(IsServiceVariable(EnvironmentName("config")));
  for (const std::string& name : AllOptions()) {
    EXPECT_FALSE(IsServiceVariable(EnvironmentName(name)))
        << "a Service could set " << name << " by accident: see IsServiceVariable";
  }
}

TEST_F(OptionSourcesTest, EmptyVariablesCountAsNotSet) {
  for (const std::string& name : AllOptions()) SetEnvironment(EnvironmentName(name), "");
  SetEnvironment("HELLOCNN_CONFIG", "");
  const auto parsed = Parse({WriteFile("threads = 3\n")});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.threads, 3);
  EXPECT_EQ(SourceOf(*parsed, "listen"), "default");
  EXPECT_THAT(parsed->warnings, IsEmpty());
  EXPECT_TRUE(Parse({}).ok()) << Parse({}).status();
}

TEST_F(OptionSourcesTest, AByteOrderMarkIsSkipped) {
  const auto parsed = Parse({WriteFile("\xef\xbb\xbfthreads = 3\r\nmodel = m\r\n")});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->options.threads, 3);
  EXPECT_EQ(parsed->options.model, "m");
  EXPECT_TRUE(Parse({WriteFile("\xef\xbb\xbf# nothing\n")}).ok());
  EXPECT_FALSE(Parse({WriteFile("threads = 3\n\xef\xbb\xbfmodel = m\n")}).ok());
}

TEST_F(OptionSourcesTest, FileIsNeverReadAsSomethingElseThanItSays) {
  EXPECT_THAT(Rejection({WriteFile("threads = 1\nmodel = a#b\n")}),
              AllOf(HasSubstr("line 2"), HasSubstr("cannot contain #")));
  EXPECT_THAT(Rejection({WriteFile("x\n")}),
              AllOf(HasSubstr("line 1"), HasSubstr("option = value")));
  EXPECT_THAT(Rejection({WriteFile("threads = 1\nmodel # = x\n")}),
              AllOf(HasSubstr("line 2"), HasSubstr("option = value")));
  for (const char* line : {"model\n", "[server]\n", "[a] = b\n", "= b\n", "==\n"}) {
    EXPECT_THAT(Rejection({WriteFile(line)}), HasSubstr("wanted option = value")) << line;
  }
  for (const char* line : {"model =", "model = \n", "model = # m\n"}) {
    EXPECT_THAT(Rejection({WriteFile(line)}), HasSubstr("there is no value")) << line;
  }
  EXPECT_THAT(Rejection({WriteFile("model = \"\"\n")}), HasSubstr("wanted a folder or a file"));
  for (const char* line : {"model = \"a\n", "model = 'a\n", "model = \"a\\\"\n", "model = \"\n"}) {
    EXPECT_THAT(Rejection({WriteFile(line)}), HasSubstr("quote is not closed")) << line;
  }
  EXPECT_THAT(Rejection({WriteFile("model = \"a\" b\n")}), HasSubstr("follows the closing quote"));
  EXPECT_THAT(Rejection({WriteFile("model = \"\"\"a\"\"\"\n")}), HasSubstr("follows"));
  EXPECT_THAT(Rejection({WriteFile("model = a \"b\"\n")}), HasSubstr("needs quotes around it"));
  EXPECT_THAT(Rejection({WriteFile("model = \"C:\\digits\"\n")}), HasSubstr("backslash"));
}

TEST_F(OptionSourcesTest, QuotesHoldWhatIsBetweenThem) {
  const std::vector<std::pair<std::string, std::string>> models = {
      {"# all\n\n  # of\nmodel = \"a\" # it\n", "a"},
      {"model = \"a # b\"\n", "a # b"},
      {"model='a # b'#c", "a # b"},
      {"model = \"a \\\" b\\\\\"\n", "a \" b\\"},
      {"model = 'C:\\digits \"5\"'\n", "C:\\digits \"5\""},
      {"model = C:\\digits\n", "C:\\digits"},
      {"model = a 'b'\n", "a 'b'"},
      {"model = \"a=b\"\n", "a=b"},
      {"model = \" a\\tb\\n\"\n", " a\tb\n"},
  };
  for (const auto& [file, model] : models) {
    const auto parsed = Parse({WriteFile(file)});
    ASSERT_TRUE(parsed.ok()) << file << parsed.status();
    EXPECT_EQ(parsed->options.model, model) << file;
  }
}

TEST_F(OptionSourcesTest, ErrorsCanBePrintedWhateverTheFileHolds) {
  for (const std::string line :
       {"se\xff\x1b[2J = 1", "listen = a\x1b#\xff", "\x1b\xff", "threads = \"\x1b\xff\"",
        "[\x1b\xff]\nx = 1", "model = \"\\\xff\"", "listen = \xff://h:1", "listen = :\xff",
        "listen = [::1%\xff]", "listen = ::1%\xff"}) {
    const std::string error = Rejection({WriteFile(line)});
    EXPECT_EQ(error.find_first_of("\x1b\xff"), std::string::npos) << error;
    EXPECT_THAT(error, HasSubstr("\\x"));
  }
  EXPECT_LT(Rejection({WriteFile(std::string(10'000, 'x') + " = 1")}).size(), 1000U);
  EXPECT_LT(Rejection({WriteFile("engine = " + std::string(10'000, 'x'))}).size(), 1000U);
}

TEST_F(OptionSourcesTest, EnvironmentOfTheClientIsNotRejected) {
  SetEnvironment("HELLOCNN_SERVER", "localhost:8500");
  SetEnvironment("HELLOCNN_TOKEN", "s3cret");
  SetEnvironment("HELLOCNN_TOKEN_FILE", "/run/token");
  const auto parsed = Parse({});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->warnings, IsEmpty());
}

TEST_F(OptionSourcesTest, TheSameOptionTwiceIsRejected) {
  EXPECT_EQ(Rejection({"--threads=1", "--threads=2"}),
            "--threads is given more than once; see --help");
  EXPECT_THAT(Rejection({WriteFile("threads = 1\nmodel = m\nthreads = 2\n")}),
              HasSubstr("threads is given more than once"));
  EXPECT_THAT(Rejection({WriteFile("threads = 1\nthreads = 2\n")}),
              HasSubstr("threads is given more than once"));
}

TEST_F(OptionSourcesTest, MissingFileIsRejectedByName) {
  EXPECT_THAT(Rejection({"--config=/nowhere/x.toml"}), HasSubstr("/nowhere/x.toml"));
}

TEST_F(OptionSourcesTest, FlagWithoutAValueDoesNotTakeTheNextOne) {
  EXPECT_THAT(Rejection({"--model=", "--threads=2"}), HasSubstr("--model= has no value"));
}

TEST_F(OptionSourcesTest, FolderIsNoFile) {
  EXPECT_THAT(Rejection({"--config=/tmp"}), HasSubstr("cannot read /tmp"));
  // These have no end, or cannot be read where they begin.
  EXPECT_THAT(Rejection({"--config=/dev/zero"}), HasSubstr("there is a zero byte in it"));
  EXPECT_THAT(Rejection({"--config=/proc/self/mem"}), HasSubstr("cannot read /proc/self/mem"));
}

TEST_F(OptionSourcesTest, FileMayBeAPipe) {
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

}  // namespace
}  // namespace hellocnn::server
