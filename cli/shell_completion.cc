#include "cli/shell_completion.h"

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/command_line/command_line.h"
#include "cli/app.h"

namespace hellocnn::cli {
namespace {

constexpr char kExamples[] = R"(
`cmake --install` puts them where the shells look.

Examples:
  hellocnn completion bash > ~/.local/share/bash-completion/completions/hellocnn
  hellocnn completion zsh > ~/.zfunc/_hellocnn
  hellocnn completion fish > ~/.config/fish/completions/hellocnn.fish)";

bool IsFile(const std::string& type) {
  return type.find("FILE") != std::string::npos || type.find("DIR") != std::string::npos;
}

// Returns true if the option has no group, because CLI11 leaves such options out of --help.
bool IsHidden(const CLI::Option& option) { return option.get_group().empty(); }

CompletedOption DescribeOption(const CLI::Option& option) {
  CompletedOption described;
  for (const std::string& name : option.get_snames()) described.flags.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) described.flags.push_back("--" + name);
  described.help = option.get_description();
  const std::string type = option.get_type_name();
  described.takes_value = option.get_items_expected_max() > 0;
  described.choices = ChoicesOf(option);
  described.takes_file = described.takes_value && described.choices.empty() && IsFile(type);
  return described;
}

CompletedCommand DescribeCommand(const CLI::App& app, std::vector<std::string> path,
                                 const std::vector<CompletedOption>& of_program) {
  CompletedCommand command;
  path.push_back(app.get_name());
  command.path = path;
  command.help = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) {
      if (!IsHidden(*option)) command.options.push_back(DescribeOption(*option));
    } else {
      command.takes_files = command.takes_files || IsFile(option->get_type_name());
    }
  }
  command.options.insert(command.options.end(), of_program.begin(), of_program.end());
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    command.commands.push_back(DescribeCommand(*child, path, of_program));
  }
  return command;
}

void ForEach(const CompletedCommand& command,
             const std::function<void(const CompletedCommand&)>& action) {
  action(command);
  for (const CompletedCommand& child : command.commands) ForEach(child, action);
}

std::string Name(const CompletedCommand& command) { return absl::StrJoin(command.path, " "); }

// Returns the words that may stand in the place of an option or a command.
std::string Words(const CompletedCommand& command) {
  std::vector<std::string> words;
  for (const CompletedCommand& child : command.commands) words.push_back(child.path.back());
  for (const CompletedOption& option : command.options) {
    words.insert(words.end(), option.flags.begin(), option.flags.end());
  }
  return absl::StrJoin(words, " ");
}

// The branches of a `case` for bash and zsh, which have the same syntax.

std::string CommandBranches(const CompletedCommand& program) {
  std::string branches;
  ForEach(program, [&](const CompletedCommand& command) {
    if (command.path.size() == 1) return;
    absl::StrAppend(&branches, "      '", Name(command), "') command='", Name(command), "' ;;\n");
  });
  return branches;
}

// `files` is the command with which the shell completes file names. `one_of` is the command for a
// choice, before its words.
std::string ValueBranches(const CompletedCommand& program, const std::string& files,
                          const std::string& one_of) {
  std::string branches;
  ForEach(program, [&](const CompletedCommand& command) {
    for (const CompletedOption& option : command.options) {
      if (!option.takes_value) continue;
      std::vector<std::string> patterns;
      for (const std::string& flag : option.flags) {
        patterns.push_back(absl::StrCat("'", Name(command), " ", flag, "'"));
      }
      absl::StrAppend(&branches, "    ", absl::StrJoin(patterns, "|"), ") ");
      if (option.takes_file) {
        absl::StrAppend(&branches, files, "; ");
      } else if (!option.choices.empty()) {
        absl::StrAppend(&branches, one_of, " '", absl::StrJoin(option.choices, " "), "'; ");
      }
      branches += "return ;;\n";
    }
  });
  return branches;
}

std::string WordBranches(const CompletedCommand& program, const std::string& files,
                         const std::string& one_of) {
  std::string branches;
  ForEach(program, [&](const CompletedCommand& command) {
    absl::StrAppend(&branches, "    '", Name(command), "') ");
    if (command.takes_files) {
      absl::StrAppend(&branches, "if [[ $current != -* ]]; then ", files, "; return; fi; ");
    }
    absl::StrAppend(&branches, one_of, " '", Words(command), "' ;;\n");
  });
  return branches;
}

std::string FishQuoted(const std::string& text) {
  return "'" + absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}) + "'";
}

}  // namespace

CompletedCommand Describe(const CLI::App& app) {
  std::vector<CompletedOption> of_program;
  for (const CLI::Option* option : app.get_options()) {
    // Each command has these two on its own, or not at all.
    if (option == app.get_help_ptr() || option->check_lname("version")) continue;
    if (!IsHidden(*option)) of_program.push_back(DescribeOption(*option));
  }
  CompletedCommand program = DescribeCommand(app, {}, of_program);
  // The program itself already has its own options.
  program.options.resize(program.options.size() - of_program.size());
  return program;
}

std::string BashCompletion(const CompletedCommand& program) {
  return absl::StrCat(R"(# bash completion for hellocnn. Made by `hellocnn completion bash`.
_hellocnn_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current"); }
_hellocnn_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$current")
}
_hellocnn() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=hellocnn i
  COMPREPLY=()
  # bash takes --option=value for three words.
  if [[ $previous == '=' ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ $current == '=' ]]; then
    current=''
  fi
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "$command ${COMP_WORDS[i]}" in
)",
                      CommandBranches(program), R"(    esac
  done
  case "$command $previous" in
)",
                      ValueBranches(program, "_hellocnn_files", "_hellocnn_words"), R"(  esac
  case "$command" in
)",
                      WordBranches(program, "_hellocnn_files", "_hellocnn_words"), R"(  esac
}
complete -F _hellocnn hellocnn
)");
}

std::string ZshCompletion(const CompletedCommand& program) {
  return absl::StrCat(R"(#compdef hellocnn
# zsh completion for hellocnn. Made by `hellocnn completion zsh`.
_hellocnn_words() { compadd -- ${=1}; }
_hellocnn() {
  local current=${words[CURRENT]} previous=${words[CURRENT - 1]} command=hellocnn i
  if [[ $current == --*=* ]]; then
    previous=${current%%=*}
    current=${current#*=}
    compset -P '*='
  fi
  for ((i = 2; i < CURRENT; ++i)); do
    case "$command ${words[i]}" in
)",
                      CommandBranches(program), R"(    esac
  done
  case "$command $previous" in
)",
                      ValueBranches(program, "_files", "_hellocnn_words"), R"(  esac
  case "$command" in
)",
                      WordBranches(program, "_files", "_hellocnn_words"), R"(  esac
}
if [[ $funcstack[1] == _hellocnn ]]; then _hellocnn "$@"; else compdef _hellocnn hellocnn; fi
)");
}

std::string FishCompletion(const CompletedCommand& program) {
  std::string script =
      "# fish completion for hellocnn. Made by `hellocnn completion fish`.\n"
      "complete -c hellocnn -f\n";
  ForEach(program, [&](const CompletedCommand& command) {
    // The words of the path, except the program's, must have been seen. A word that leads further
    // must not.
    std::vector<std::string> conditions;
    for (std::size_t i = 1; i < command.path.size(); ++i) {
      conditions.push_back("__fish_seen_subcommand_from " + command.path[i]);
    }
    std::vector<std::string> children;
    for (const CompletedCommand& child : command.commands) children.push_back(child.path.back());
    if (!children.empty()) {
      conditions.push_back("not __fish_seen_subcommand_from " + absl::StrJoin(children, " "));
    }
    const std::string start =
        absl::StrCat("complete -c hellocnn -n ", FishQuoted(absl::StrJoin(conditions, "; and ")));
    for (const CompletedCommand& child : command.commands) {
      absl::StrAppend(&script, start, " -a ", child.path.back(), " -d ", FishQuoted(child.help),
                      "\n");
    }
    if (command.takes_files) absl::StrAppend(&script, start, " -F\n");
    for (const CompletedOption& option : command.options) {
      script += start;
      for (const std::string& flag : option.flags) {
        script += flag[1] == '-' ? " -l " + flag.substr(2) : " -s " + flag.substr(1);
      }
      if (option.takes_value) script += option.takes_file ? " -r -F" : " -x";
      if (!option.choices.empty()) {
        absl::StrAppend(&script, " -a ", FishQuoted(absl::StrJoin(option.choices, " ")));
      }
      absl::StrAppend(&script, " -d ", FishQuoted(option.help), "\n");
    }
  });
  return script;
}

void AddCompletion(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("completion", "Prints a script by which a shell completes this program");
  command->footer(kExamples);
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name("SHELL");
  command->callback([&app, &action, shell] {
    action.run = [&app, shell] {
      const CompletedCommand program = Describe(app);
      std::cout << (*shell == "bash"  ? BashCompletion(program)
                    : *shell == "zsh" ? ZshCompletion(program)
                                      : FishCompletion(program));
      return kExitOk;
    };
    action.unused = AllSharedOptions();
    action.why_unused = "hellocnn completion does not use it, because it asks no server";
  });
}

}  // namespace hellocnn::cli
