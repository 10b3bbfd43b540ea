#include <cstddef>
#include <sstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/config/options.h"
#include "server/config/sources.h"
#include "tests/server/config/options_fixture.h"

namespace hellocnn::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

using OptionReferenceTest = OptionsFixture;

TEST_F(OptionReferenceTest, HelpTellsEveryOptionWithDefaultAndEnvironment) {
  const auto parsed = Parse({"--help"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->action, ParsedOptions::Action::kPrintAndExit);
  for (const std::string& name : AllOptions()) {
    EXPECT_THAT(parsed->text,
                AllOf(HasSubstr("\n  --" + name + "="), HasSubstr(EnvironmentName(name) + ".\n")));
  }
  EXPECT_THAT(parsed->text,
              AllOf(HasSubstr("Wanted: 1 to 1024 images.\n      Default: 32. Environment: "),
                    HasSubstr("Default: 127.0.0.1:8500."), HasSubstr("Default: 0s."),
                    HasSubstr("Default: the CPUs that the cgroup grants."),
                    HasSubstr("HELLOCNN_CONFIG"), HasSubstr("Examples")));
}

TEST_F(OptionReferenceTest, HelpFitsATerminal) {
  const auto parsed = Parse({"--help"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  std::istringstream lines(parsed->text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80) << line;
}

TEST_F(OptionReferenceTest, MarkdownHasARowForEachOptionAndSaysNothingOfThisMachine) {
  SetEnvironment("HELLOCNN_THREADS", "many");
  const auto parsed = Parse({"--print-options-markdown"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->action, ParsedOptions::Action::kPrintAndExit);
  EXPECT_THAT(parsed->text,
              AllOf(HasSubstr("| `--threads` | `HELLOCNN_THREADS` | The number of worker threads | "
                              "1 to 1024 threads | the CPUs that the cgroup grants |\n"),
                    HasSubstr(" | 1s to 24h, or 0s | 0s |\n"),
                    HasSubstr(" | 1 to queue-capacity images, at most 500000 | 1024, or "
                              "queue-capacity if that is less |\n"),
                    HasSubstr("\n- `--queue-capacity`: Requests that")));
  unsetenv("HELLOCNN_THREADS");
  for (const std::string& name : AllOptions()) {
    EXPECT_THAT(parsed->text, HasSubstr("\n| `--" + name + "` | "));
  }
}

TEST_F(OptionReferenceTest, VersionIsTheProjects) {
  const auto parsed = Parse({"--version"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed->text, MatchesRegex("hellocnn-server [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(OptionReferenceTest, PrintedConfigurationIsAFileThatGivesTheSameOptions) {
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

TEST_F(OptionReferenceTest, PrintedConfigurationHoldsEveryValueThatAFlagCan) {
  for (const std::string model :
       {"a \"b\" c", "\"",  "'",    "a'b",      "back\\slash", "\\",          "a # b",
        "#",         " a ", "a\tb", "a\nb = c", "a\r",         "=",           "[x]",
        "7",         "007", "+7",   "é\xff",    "\x1b[2J",     "\xef\xbb\xbf"}) {
    const auto printed = Parse({"--print-config", "--model", model});
    ASSERT_TRUE(printed.ok()) << model << ": " << printed.status();
    const auto read = Parse({WriteFile(printed->text)});
    ASSERT_TRUE(read.ok()) << read.status() << "\n" << printed->text;
    EXPECT_EQ(read->options.model, model) << printed->text;
  }
}

TEST_F(OptionReferenceTest, PrintedConfigurationCanBeReadWhateverItsFileWasCalled) {
  file_ += "\nthreads = 0";
  const auto printed = Parse({WriteFile("threads = 1\n"), "--print-config"});
  ASSERT_TRUE(printed.ok()) << printed.status();
  const auto read = Parse({WriteFile(printed->text)});
  ASSERT_TRUE(read.ok()) << read.status() << "\n" << printed->text;
  EXPECT_EQ(read->options.threads, 1);
}

}  // namespace
}  // namespace hellocnn::server
