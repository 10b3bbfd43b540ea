#include "cli/reference.h"

#include <CLI/CLI.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "base/command_line/command_line.h"

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

// Returns the value's type and range, or its choices.
std::string ValueOf(const CLI::Option& option) {
  const std::vector<std::string> choices = ChoicesOf(option);
  if (!choices.empty()) return absl::StrJoin(choices, ", ");
  const std::string range = RangeOf(option);
  return absl::StrCat(PlaceholderOf(option), range.empty() ? "" : ", ", range);
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
