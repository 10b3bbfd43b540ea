#include "server/config/reference.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/shown.h"
#include "server/config/config_file.h"
#include "server/config/sources.h"

namespace hellocnn::server {
namespace {

constexpr std::size_t kColumns = 80;
constexpr absl::string_view kIndent = "      ";

constexpr char kUsage[] = R"(Serves HelloCNN over gRPC.

Usage: hellocnn-server [--option=value]...

Options:
  A flag wins over the environment, which wins over the file of --config.
  An environment variable that is empty counts as not set.
)";

constexpr char kOthers[] = R"(
Files and information:
  --config=FILE
      Reads options from a file, with lines of the form: option = value.
      A value with a space, a quote or a # in it stands in quotes. A line
      without a value is an error; delete it to get the default.
      Environment: HELLOCNN_CONFIG.
  --print-config
      Prints every option with its source, as such a file, and exits.
  --print-options-markdown
      Prints the options as the Markdown of the reference page, and exits.
  --version
      Prints the version and exits.
  -h, --help
      Prints this and exits.

Examples:
  hellocnn-server --listen=[::]:8500 --max-queue-delay=200us
  HELLOCNN_THREADS=4 hellocnn-server --config=server.toml
  hellocnn-server --print-config > server.toml
)";

// Appends the text as a paragraph.
void AppendWrapped(absl::string_view text, std::string* out) {
  std::string line;
  for (const absl::string_view word : absl::StrSplit(text, ' ')) {
    if (!line.empty() && kIndent.size() + line.size() + 1 + word.size() > kColumns) {
      absl::StrAppend(out, kIndent, line, "\n");
      line.clear();
    }
    absl::StrAppend(&line, line.empty() ? "" : " ", word);
  }
  absl::StrAppend(out, kIndent, line, "\n");
}

}  // namespace

std::string HelpText(OptionRows rows) {
  std::string text = kUsage;
  absl::string_view group;
  for (const OptionRow& row : rows) {
    if (row.group != group) absl::StrAppend(&text, "\n", row.group, ":\n");
    group = row.group;
    absl::StrAppend(&text, "  --", row.name, "=", Placeholder(row), "\n");
    AppendWrapped(absl::StrCat(row.help, Details(row).empty() ? "" : " ", Details(row)), &text);
    AppendWrapped(absl::StrCat("Wanted: ", Wanted(row, rows, nullptr), "."), &text);
    AppendWrapped(absl::StrCat("Default: ", DefaultInWords(row, rows),
                               ". Environment: ", EnvironmentName(row.name), "."),
                  &text);
  }
  return absl::StrCat(text, kOthers);
}

std::string MarkdownText(OptionRows rows) {
  std::string text;
  std::string details;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const OptionRow& row = rows[i];
    if (i == 0 || row.group != rows[i - 1].group) {
      absl::StrAppend(&text, i == 0 ? "" : "\n", "## ", row.group, "\n\n",
                      "| option | environment variable | meaning | range | default |\n"
                      "|---|---|---|---|---|\n");
    }
    absl::StrAppend(&text, "| `--", row.name, "` | `", EnvironmentName(row.name), "` | ",
                    absl::StripSuffix(row.help, "."), " | ", Range(row, rows, nullptr), " | ",
                    DefaultInWords(row, rows), " |\n");
    if (const std::string further = Details(row); !further.empty()) {
      absl::StrAppend(&details, "- `--", row.name,
                      "`: ", absl::StrReplaceAll(further, {{". ", ".\n  "}}), "\n");
    }
    if (i + 1 == rows.size() || rows[i + 1].group != row.group) {
      absl::StrAppend(&text, details.empty() ? "" : "\n", details);
      details.clear();
    }
  }
  return text;
}

std::string ConfigText(const std::vector<OptionSource>& sources) {
  std::size_t widest_name = 0;
  std::size_t widest_value = 0;
  for (const OptionSource& source : sources) {
    widest_name = std::max(widest_name, source.name.size());
    widest_value = std::max(widest_value, QuotedForConfigFile(source.value).size());
  }
  std::string text;
  for (const OptionSource& source : sources) {
    absl::StrAppendFormat(&text, "%-*s = %-*s  # %s\n", static_cast<int>(widest_name), source.name,
                          static_cast<int>(widest_value), QuotedForConfigFile(source.value),
                          Shown(source.source, source.source.size()));
  }
  return text;
}

}  // namespace hellocnn::server
