#include "server/config/sources.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/input.h"
#include "base/nearest.h"
#include "base/shown.h"
#include "server/config/config_file.h"

extern "C" char** environ;

namespace hellocnn::server {
namespace {

constexpr absl::string_view kPrefix = "HELLOCNN_";

// Returns true for the variables that the command line client reads.
bool IsOfClient(absl::string_view name) {
  return name == "HELLOCNN_SERVER" || name == "HELLOCNN_TOKEN" || name == "HELLOCNN_TOKEN_FILE";
}

OptionNames WithConfig(OptionNames names) {
  names.emplace_back("config");
  return names;
}

// Returns " did you mean …?" with the name in its form, or what else helps.
std::string Hint(const std::string& nearest, const std::string& in_its_form) {
  return nearest.empty() ? "see --help" : absl::StrCat("did you mean ", in_its_form, "?");
}

absl::Status UnknownFlag(const CLI::App& app, OptionNames names) {
  for (const char* request : {"help", "version", "print-config"}) names.emplace_back(request);
  const std::vector<std::string> unknown = app.remaining();
  for (absl::string_view argument : unknown) {
    if (!absl::ConsumePrefix(&argument, "--")) continue;
    const std::string name(argument.substr(0, argument.find('=')));
    const std::string nearest = Nearest(name, names);
    return absl::InvalidArgumentError(absl::StrCat("--", Shown(name), " is not an option; ",
                                                   Hint(nearest, absl::StrCat("--", nearest))));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", Shown(unknown.front()), "\" is not expected; wanted --option=value, see --help"));
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
  } catch (const CLI::ExtrasError&) {
    return UnknownFlag(app, WithConfig(names));
  } catch (const CLI::ArgumentMismatch& error) {
    const std::string message = error.what();
    return absl::InvalidArgumentError(absl::StrCat(
        absl::StrContains(message, "At Most 1")
            ? absl::StrCat(message.substr(0, message.find(':')), " is given more than once")
            : message,
        "; see --help"));
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
    if (!absl::StartsWith(name, kPrefix) || IsOfClient(name)) continue;
    if (const auto option = options.find(name); option != options.end()) {
      const std::string value = entry.substr(name.size() + 1);
      if (value.empty()) continue;  // as compose files set a variable that the user has not
      sources->given.emplace(option->second, GivenOption{value, "environment " + name});
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

absl::Status ReadFile(const OptionNames& names, const std::string& path, Sources* sources) {
  constexpr std::size_t kMostBytes = std::size_t{1} << 20;
  const absl::StatusOr<std::string> text = ReadText(path, kMostBytes);
  if (!text.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("option config: cannot read ", text.status().message()));
  }
  auto values = ParseConfigFile(names, path, *text);
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
