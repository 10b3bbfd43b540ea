#include "base/command_line/command_line.h"

#include <CLI/CLI.hpp>
#include <cstddef>
#include <iostream>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/nearest.h"
#include "base/shown.h"

namespace hellocnn {
namespace {

constexpr std::size_t kColumns = 80;
constexpr std::size_t kNameColumns = 26;  // what is said of an option begins there

// Appends the words of `text`, in lines that begin with `indent` spaces. The current line of `out`
// has `used` columns. `broken` stands at the end of a line that is continued.
void AppendWords(absl::string_view text, std::size_t used, std::size_t indent,
                 absl::string_view broken, std::string* out) {
  bool first = true;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (!first && used + 1 + word.size() + broken.size() > kColumns) {
      absl::StrAppend(out, broken, "\n", std::string(indent, ' '));
      used = indent;
      first = true;
    }
    absl::StrAppend(out, first ? "" : " ", word);
    used += word.size() + (first ? 0 : 1);
    first = false;
  }
}

// Returns a line of the table: what is explained, and the explanation beside or below it.
std::string Row(const std::string& name, const std::string& text) {
  std::string row = absl::StrCat("  ", name);
  if (row.size() + 2 > kNameColumns) {
    absl::StrAppend(&row, "\n", std::string(kNameColumns, ' '));
  } else {
    row.resize(kNameColumns, ' ');
  }
  AppendWords(text, kNameColumns, kNameColumns, "", &row);
  return row + "\n";
}

// Returns the text with each paragraph filled, and with its long indented lines broken: those are
// commands.
std::string Wrapped(const std::string& text) {
  std::vector<std::string> lines;
  bool in_paragraph = false;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const bool is_prose = !line.empty() && line.front() != ' ';
    if (is_prose && in_paragraph) {
      absl::StrAppend(&lines.back(), " ", line);
    } else {
      lines.emplace_back(line);
    }
    in_paragraph = is_prose && line.back() != ':';
  }
  for (std::string& line : lines) {
    const std::size_t indent = line.size() - absl::StripLeadingAsciiWhitespace(line).size();
    if (line.size() <= kColumns) continue;
    std::string broken(indent, ' ');
    AppendWords(line, indent, indent > 0 ? indent + 4 : 0, indent > 0 ? " \\" : "", &broken);
    line = broken;
  }
  return absl::StrJoin(lines, "\n");
}

// Returns a number in digits alone: CLI11 writes 1e+06 for a million.
std::string Number(absl::string_view text) {
  double value = 0;
  if (!absl::StrContains(text, "e") || !absl::SimpleAtod(text, &value)) return std::string(text);
  return absl::StrFormat("%.0f", value);
}

// Returns what is to be known of an option besides its description, in brackets.
std::string Facts(const CLI::Option& option) {
  std::vector<std::string> facts;
  if (option.get_required()) facts.emplace_back("required");
  if (const auto choices = ChoicesOf(option); !choices.empty()) {
    facts.push_back(absl::StrJoin(choices, ", "));
  }
  if (std::string range = RangeOf(option); !range.empty()) facts.push_back(std::move(range));
  if (const std::string value = option.get_default_str(); !value.empty()) {
    facts.push_back("default " + value);
  }
  if (const std::string variable = option.get_envname(); !variable.empty()) {
    facts.push_back("environment " + variable);
  }
  for (const CLI::Option* other : option.get_excludes()) {
    facts.push_back("not with " + other->get_name());
  }
  return facts.empty() ? "" : absl::StrCat(" (", absl::StrJoin(facts, "; "), ")");
}

class HelpFormat : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode mode) const override {
    std::string help = CLI::Formatter::make_help(app, std::move(name), mode);
    for (std::size_t at; (at = help.find("\n\n\n")) != std::string::npos;) help.erase(at, 1);
    return help;
  }
  std::string make_description(const CLI::App* app) const override {
    return Wrapped(CLI::Formatter::make_description(app));
  }
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    std::vector<std::string> names;
    if (is_positional) {
      names.push_back(option->get_name(true, false));
    } else {
      for (const std::string& name : option->get_snames()) names.push_back("-" + name);
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
    const std::string placeholder = is_positional ? "" : PlaceholderOf(*option);
    return Row(
        absl::StrCat(absl::StrJoin(names, ", "), placeholder.empty() ? "" : " ", placeholder),
        absl::StrCat(option->get_description(), Facts(*option)));
  }
  std::string make_subcommand(const CLI::App* command) const override {
    return Row(command->get_name(), command->get_description());
  }
  std::string make_footer(const CLI::App* app) const override {
    return Wrapped(CLI::Formatter::make_footer(app));
  }
};

const CLI::App& Innermost(const CLI::App& app) {
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  return parsed.empty() ? app : Innermost(*parsed.back());
}

std::vector<std::string> CommandsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

// Returns the options of `app` and of the program, as they are typed.
std::vector<std::string> OptionsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* of = &app; of != nullptr; of = of->get_parent()) {
    for (const CLI::Option* option : of->get_options()) {
      if (option->get_group().empty()) continue;  // hidden
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

std::string DidYouMean(const std::string& given, const std::vector<std::string>& candidates) {
  const std::string nearest = Nearest(given, candidates);
  return nearest.empty() ? "" : absl::StrCat("; did you mean ", nearest, "?");
}

// Returns the command that was parsed last, with those above it: "hellocnn load compare".
std::string ParsedCommand(const CLI::App& app) {
  const std::vector<CLI::App*> parsed = app.get_subcommands();
  return parsed.empty() ? app.get_name()
                        : absl::StrCat(app.get_name(), " ", ParsedCommand(*parsed.back()));
}

// `given` is an argument that no command and no option takes.
std::string ExplainExtra(const CLI::App& app, const std::string& given) {
  const CLI::App& command = Innermost(app);
  if (absl::StartsWith(given, "-")) {
    const std::string name = given.substr(0, given.find('='));
    return absl::StrCat(Shown(name), " is not an option of ", ParsedCommand(app),
                        DidYouMean(name, OptionsOf(command)));
  }
  const std::vector<std::string> commands = CommandsOf(command);
  if (commands.empty()) {
    return absl::StrCat("'", Shown(given), "' is not expected by ", ParsedCommand(app));
  }
  return absl::StrCat("'", Shown(given), "' is not a command of ", ParsedCommand(app),
                      DidYouMean(given, commands));
}

// Returns CLI11's message of a wrong command line in words of this project. It names the word that
// most likely was meant, if there is one: a command, an option or a choice.
std::string ExplainError(const CLI::App& app, const CLI::Error& error) {
  const std::vector<std::string> extras = app.remaining(/*recurse=*/true);
  const CLI::App& innermost = Innermost(app);
  const bool no_command = error.get_exit_code() == int(CLI::ExitCodes::RequiredError) &&
                          innermost.get_require_subcommand_min() > 0;
  // What is unknown may be a misspelt name of what is missing.
  const bool is_missing = error.get_exit_code() == int(CLI::ExitCodes::RequiredError) &&
                          (no_command || app.get_subcommands().empty());
  if (!extras.empty() &&
      (is_missing || error.get_exit_code() == int(CLI::ExitCodes::ExtrasError))) {
    return ExplainExtra(app, extras.front());
  }
  if (no_command) {
    return absl::StrCat("a command is missing: ", absl::StrJoin(CommandsOf(innermost), ", "));
  }
  // "--output: xml not in {text,json}"
  std::string message = error.what();
  const std::size_t colon = message.find(": ");
  const std::size_t list = message.rfind(" not in {");
  if (colon != std::string::npos && list != std::string::npos && colon < list) {
    const std::string given = message.substr(colon + 2, list - colon - 2);
    const std::vector<std::string> choices =
        absl::StrSplit(message.substr(list + 9, message.rfind('}') - list - 9), ',');
    return absl::StrCat(message.substr(0, colon), ": '", Shown(given), "' is not one of ",
                        absl::StrJoin(choices, ", "), DidYouMean(given, choices));
  }
  return message;
}

// Makes --help of `app` and of its commands fit a terminal.
void UseHelpFormat(CLI::App& app) {
  const auto format = std::make_shared<HelpFormat>();
  format->label("SUBCOMMAND", "COMMAND");
  app.formatter(format);
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    UseHelpFormat(*command);
  }
}

// Returns the exit code of a program that has printed all it was asked for.
int FlushOutput(const CLI::App& app) {
  if (std::cout.flush()) return 0;
  std::cerr << app.get_name() << ": standard output could not be written to the end\n";
  return 1;
}

}  // namespace

std::string PlaceholderOf(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) return "";
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

std::string RangeOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  // CLI11's names of its checks: "N:INT in [1 - 64]", "N:POSITIVE".
  if (absl::EndsWith(type, ":POSITIVE")) return "above 0";
  if (absl::EndsWith(type, ":NONNEGATIVE")) return "at least 0";
  const std::size_t open = type.find(" in [");
  if (open == std::string::npos) return "";
  const std::string range = type.substr(open + 5, type.find(']', open) - open - 5);
  const std::vector<std::string> bounds = absl::StrSplit(range, " - ");
  return bounds.size() == 2 ? absl::StrCat(Number(bounds[0]), " to ", Number(bounds[1])) : range;
}

std::vector<std::string> ChoicesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return {};
  return absl::StrSplit(type.substr(open + 1, close - open - 1), ',');
}

std::optional<int> ParseCommandLine(CLI::App& app, int argc, const char* const* argv) {
  UseHelpFormat(app);
  if (const std::string path = argv[0]; app.get_name().empty()) {
    app.name(path.substr(path.rfind('/') + 1));
  }
  std::vector<const char*> arguments(argv, argv + argc);
  const bool wants_command = app.get_require_subcommand_min() > 0;
  if (wants_command && (argc < 2 || absl::string_view(argv[1]) == "help")) {
    if (argc >= 2) arguments.erase(arguments.begin() + 1);
    arguments.push_back("--help");
  }
  try {
    app.parse(static_cast<int>(arguments.size()), arguments.data());
  } catch (const CLI::ParseError& error) {  // --help and --version also end here
    if (error.get_exit_code() == 0) {
      app.exit(error);
      return FlushOutput(app);
    }
    std::cerr << app.get_name() << ": " << Printable(ExplainError(app, error)) << "\nRun `"
              << ParsedCommand(app) << " --help` for more.\n";
    return 2;
  }
  return std::nullopt;
}

}  // namespace hellocnn
