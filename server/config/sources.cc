#include "server/config/sources.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/shown.h"

extern "C" char** environ;

namespace hellocnn::server {
namespace {

constexpr absl::string_view kPrefix = "HELLOCNN_";
// The command line client reads this one.
constexpr absl::string_view kClientVariable = "HELLOCNN_SERVER";

// Returns the number of characters to insert, delete or replace to make `to` of `from`.
std::size_t EditDistance(absl::string_view from, absl::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i] == to[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

// Returns the option that a mistyped name most likely meant, or "" if none is close: at most two
// edits away, and fewer for short names.
std::string Nearest(absl::string_view name, const OptionNames& names) {
  constexpr std::size_t kLongest = 64;  // no option is that long; bounds the work
  if (name.size() > kLongest) return "";
  std::size_t least = std::min<std::size_t>(2, name.size() / 3) + 1;
  std::string nearest;
  for (const std::string& candidate : names) {
    const std::size_t distance = EditDistance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

OptionNames WithConfig(OptionNames names) {
  names.insert("config");
  return names;
}

// Returns " did you mean …?" with the name in its form, or what else helps.
std::string Hint(const std::string& nearest, const std::string& in_its_form) {
  return nearest.empty() ? "see --help" : absl::StrCat("did you mean ", in_its_form, "?");
}

absl::Status UnknownFlag(const CLI::App& app, const OptionNames& names, absl::string_view what) {
  for (absl::string_view argument : app.remaining()) {
    if (!absl::ConsumePrefix(&argument, "--")) continue;
    const std::string nearest = Nearest(argument.substr(0, argument.find('=')), names);
    return absl::InvalidArgumentError(
        absl::StrCat(what, "; ", Hint(nearest, absl::StrCat("--", nearest))));
  }
  return absl::InvalidArgumentError(absl::StrCat(what, "; see --help"));
}

absl::Status ReadFlags(const OptionNames& names, int argc, const char* const* argv,
                       Sources* sources) {
  // CLI11 reads the flags only: its own environment and file would not tell which of them a value
  // came from.
  CLI::App app;
  app.set_help_flag("");
  std::map<Request, bool> requests;  // in the order in which they win
  app.add_flag("-h,--help", requests[Request::kPrintHelp]);
  app.add_flag("--version", requests[Request::kPrintVersion]);
  app.add_flag("--print-config", requests[Request::kPrintConfig]);
  app.add_flag("--print-options-markdown", requests[Request::kPrintMarkdown]);
  std::map<std::string, std::string> values;
  for (const std::string& name : WithConfig(names)) {
    app.add_option(absl::StrCat("--", name), values[name]);
  }
  // CLI11 would take the next argument for the value.
  for (int i = 1; i < argc; ++i) {
    const absl::string_view argument = argv[i];
    if (absl::StartsWith(argument, "--") && absl::EndsWith(argument, "=")) {
      return absl::InvalidArgumentError(
          absl::StrCat("flag ", argument, " has no value; see --help"));
    }
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError& error) {
    return UnknownFlag(app, WithConfig(names), error.what());
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(absl::StrCat(error.what(), "; see --help"));
  }
  for (const auto& [request, asked] : requests) {
    if (asked && sources->request == Request::kServe) sources->request = request;
  }
  for (auto& [name, value] : values) {
    if (app.count(absl::StrCat("--", name)) > 0) {
      sources->given.emplace(name, GivenOption{std::move(value), "flag"});
    }
  }
  return absl::OkStatus();
}

void ReadEnvironment(const OptionNames& names, Sources* sources) {
  std::map<std::string, std::string> options;  // by variable
  for (const std::string& name : WithConfig(names)) options.emplace(EnvironmentName(name), name);
  std::set<std::string> of_services;
  std::set<std::string> unknown;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string entry = *variable;
    const std::string name = entry.substr(0, entry.find('='));
    if (!absl::StartsWith(name, kPrefix) || name == kClientVariable) continue;
    if (const auto option = options.find(name); option != options.end()) {
      sources->given.emplace(option->second,
                             GivenOption{entry.substr(name.size() + 1), "environment " + name});
    } else {
      (IsServiceVariable(name) ? of_services : unknown).insert(name);
    }
  }
  for (const std::string& name : unknown) {
    const std::string option =
        absl::AsciiStrToLower(absl::StrReplaceAll(absl::StripPrefix(name, kPrefix), {{"_", "-"}}));
    const std::string nearest = Nearest(option, WithConfig(names));
    sources->warnings.push_back(absl::StrCat("environment variable ", Shown(name),
                                             " is ignored, because it is not an option; ",
                                             Hint(nearest, EnvironmentName(nearest))));
  }
  // In one line, for there are seven and more of each Service.
  if (!of_services.empty()) {
    sources->warnings.push_back(absl::StrCat(
        "environment variables that are not options, but look like those that Kubernetes sets for "
        "a Service, are ignored (enableServiceLinks: false keeps them out of a pod): ",
        absl::StrJoin(of_services, ", ",
                      [](std::string* out, const std::string& name) { *out += Shown(name); })));
  }
}

// Rejects what CLI11's parser would change without a word: it skips lines of one or two characters,
// cuts a value at a '#', even within quotes, knows no escaped quotes, and takes a name alone for
// "true".
absl::Status CheckLine(absl::string_view line) {
  const absl::string_view text = absl::StripAsciiWhitespace(line);
  if (text.empty() || text.front() == '#') return absl::OkStatus();
  const std::size_t hash = text.find('#');
  const absl::string_view before = text.substr(0, hash);
  const bool quotes_match = std::count(before.begin(), before.end(), '"') % 2 == 0;
  if (hash != absl::string_view::npos && !(absl::ascii_isspace(before.back()) && quotes_match)) {
    return absl::InvalidArgumentError(
        "a value in a file cannot contain #; use the flag or the environment, or put a space "
        "before a comment");
  }
  if (!quotes_match) {
    return absl::InvalidArgumentError("a quote is not closed, and a value cannot contain one");
  }
  if (text.size() < 3 || text.front() == '[' || !absl::StrContains(before, "=")) {
    return absl::InvalidArgumentError("wanted option = value");
  }
  return absl::OkStatus();
}

absl::Status ReadFile(const OptionNames& names, const std::string& path, Sources* sources) {
  std::ifstream file(path);
  std::error_code error;
  if (!file || std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("option config: cannot read ", path, "; wanted a file"));
  }
  // All at once, for it may be a pipe, and is read twice.
  const std::string text(std::istreambuf_iterator<char>(file), {});
  auto values = ParseFile(names, path, text);
  if (!values.ok()) return values.status();
  for (auto& [name, value] : *values) {
    sources->given.emplace(name, GivenOption{std::move(value), "file " + path});
  }
  return absl::OkStatus();
}

}  // namespace

std::string EnvironmentName(absl::string_view option) {
  return absl::StrCat(kPrefix, absl::AsciiStrToUpper(absl::StrReplaceAll(option, {{"-", "_"}})));
}

bool IsServiceVariable(absl::string_view variable) {
  if (!absl::StartsWith(variable, kPrefix)) return false;
  if (absl::EndsWith(variable, "_SERVICE_HOST") || absl::EndsWith(variable, "_PORT") ||
      absl::StrContains(variable, "_SERVICE_PORT_")) {
    return true;
  }
  // HELLOCNN_PORT_8500_TCP, and the same with _PROTO or _ADDR.
  if (!absl::ConsumeSuffix(&variable, "_PROTO")) absl::ConsumeSuffix(&variable, "_ADDR");
  if (!absl::ConsumeSuffix(&variable, "_TCP") && !absl::ConsumeSuffix(&variable, "_UDP") &&
      !absl::ConsumeSuffix(&variable, "_SCTP")) {
    return false;
  }
  const std::size_t last = variable.find_last_not_of("0123456789");
  return last + 1 < variable.size() && absl::EndsWith(variable.substr(0, last + 1), "_PORT_");
}

absl::StatusOr<std::map<std::string, std::string>> ParseFile(const OptionNames& names,
                                                             absl::string_view path,
                                                             const std::string& text) {
  std::stringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (absl::Status status = CheckLine(line); !status.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("file ", path, ", line ", number, ": \"",
                                                     Shown(line), "\": ", status.message()));
    }
  }
  lines.clear();
  lines.seekg(0);
  CLI::ConfigTOML format;
  // No option is a list; without this "[::]:8500" would begin one.
  format.arrayBounds('\1', '\1');
  std::map<std::string, std::string> values;
  try {
    for (const CLI::ConfigItem& item : format.from_config(lines)) {
      const std::string name = item.fullname();
      if (!names.contains(name)) {
        const std::string nearest = Nearest(name, names);
        return absl::InvalidArgumentError(absl::StrCat(
            "file ", path, ": ", Shown(name), " is not an option; ", Hint(nearest, nearest)));
      }
      if (item.inputs.size() != 1 || !values.emplace(name, item.inputs[0]).second) {
        return absl::InvalidArgumentError(
            absl::StrCat("file ", path, ": ", name, " is given more than once"));
      }
    }
  } catch (const CLI::Error& wrong) {
    return absl::InvalidArgumentError(absl::StrCat("file ", path, ": ", Shown(wrong.what())));
  }
  return values;
}

absl::StatusOr<Sources> ReadSources(const OptionNames& names, int argc, const char* const* argv) {
  Sources sources;
  if (absl::Status status = ReadFlags(names, argc, argv, &sources); !status.ok()) return status;
  if (sources.request != Request::kServe && sources.request != Request::kPrintConfig) {
    return sources;
  }
  // Each emplaces, which keeps what an earlier source has given.
  ReadEnvironment(names, &sources);
  if (const auto config = sources.given.find("config"); config != sources.given.end()) {
    const std::string path = config->second.value;
    if (absl::Status status = ReadFile(names, path, &sources); !status.ok()) return status;
  }
  return sources;
}

}  // namespace hellocnn::server
