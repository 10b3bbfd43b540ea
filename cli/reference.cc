#include "cli/reference.h"

#include <CLI/CLI.hpp>
#include <cstddef>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

namespace hellocnn::cli {
namespace {

std::string Cell(absl::string_view text) { return absl::StrReplaceAll(text, {{"|", "\\|"}}); }

std::string NamesOf(const CLI::Option& option) {
  if (!option.nonpositional()) return absl::StrCat("`", option.get_name(), "`");
  std::vector<std::string> names;
  for (const std::string& name : option.get_lnames()) names.push_back("`--" + name + "`");
  for (const std::string& name : option.get_snames()) names.push_back("`-" + name + "`");
  return absl::StrJoin(names, ", ");
}

// Returns the value's type and range. CLI11 appends a check to the type: "FORMAT:{text,json}",
// "N:INT in [1 - 64]".
std::string ValueOf(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return "";
  const std::string type = option.get_type_name();
  const std::size_t colon = type.find(':');
  const std::size_t choices = type.find(":{");
  if (choices != std::string::npos) {
    const std::string listed = type.substr(choices + 2, type.find('}') - choices - 2);
    return absl::StrReplaceAll(listed, {{",", ", "}});
  }
  const std::size_t range = type.find(" in [");
  if (range != std::string::npos) {
    const std::string bounds = type.substr(range + 5, type.find(']') - range - 5);
    return absl::StrCat(type.substr(0, colon), ", ",
                        absl::StrReplaceAll(bounds, {{" - ", " to "}}));
  }
  // CLI11's names for ranges of numbers.
  return absl::StrReplaceAll(type, {{":POSITIVE", ", above 0"}, {":NONNEGATIVE", ", at least 0"}});
}

std::string TablesOf(const CLI::App& app) {
  std::string text;
  const std::vector<std::string> groups = app.get_groups();
  for (const std::string& group : groups) {
    std::string rows;
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_group() != group || group.empty() || option == app.get_help_ptr() ||
          option->check_lname("version")) {
        continue;
      }
      absl::StrAppend(&rows, "| ", NamesOf(*option), " | ", Cell(ValueOf(*option)), " | ",
                      Cell(option->get_default_str()), " | ", Cell(option->get_description()),
                      " |\n");
    }
    if (rows.empty()) continue;
    if (group != "Options" && group != "Positionals") absl::StrAppend(&text, "\n", group, ":\n");
    absl::StrAppend(&text, "\n| option | value | default | meaning |\n|---|---|---|---|\n", rows);
  }
  return text;
}

void AppendCommands(const CLI::App& app, const std::string& path, std::string* text) {
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string name = absl::StrCat(path, " ", command->get_name());
    absl::StrAppend(text, "\n## ", name, "\n\n", command->get_description(), ".\n",
                    TablesOf(*command));
    AppendCommands(*command, name, text);
  }
}

}  // namespace

std::string MarkdownReference(const CLI::App& program) {
  std::string text = absl::StrCat("## Every command\n", TablesOf(program));
  AppendCommands(program, program.get_name(), &text);
  return text;
}

}  // namespace hellocnn::cli
