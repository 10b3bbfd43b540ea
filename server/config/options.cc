#include "server/config/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/cpu_quota.h"
#include "base/version.h"

extern "C" char** environ;

namespace hellocnn::server {
namespace {

// Each returns whether the text could be read.
bool Set(const std::string& text, std::string* value) {
  *value = text;
  return true;
}
bool Set(const std::string& text, int* value) { return absl::SimpleAtoi(text, value); }
bool Set(const std::string& text, absl::Duration* value) {
  return absl::ParseDuration(text, value);
}

std::string Show(const std::string& value) { return value; }
std::string Show(int value) { return absl::StrCat(value); }
std::string Show(absl::Duration value) { return absl::FormatDuration(value); }

bool Within(int low, int value, int high) { return low <= value && value <= high; }

bool IsHostPort(const std::string& value) {
  const std::size_t colon = value.rfind(':');
  int port;
  return colon != std::string::npos && colon > 0 &&
         absl::SimpleAtoi(value.substr(colon + 1), &port) && Within(0, port, 65535);
}

// One line of the table of options: all that differs between them.
struct Row {
  const char* name;
  const char* help;
  const char* wanted;
  bool (*set)(const std::string& text, Options* options);
  std::string (*show)(const Options& options);
  bool (*valid)(const Options& options);
};

template <auto member>
constexpr Row MakeRow(const char* name, const char* help, const char* wanted,
                      bool (*valid)(const Options& options)) {
  return {name,
          help,
          wanted,
          [](const std::string& text, Options* options) { return Set(text, &(options->*member)); },
          [](const Options& options) { return Show(options.*member); },
          valid};
}

constexpr std::array kRows = {
    MakeRow<&Options::listen>("listen", "Address for gRPC. Port 0 picks a free one.", "host:port",
                              [](const Options& o) { return IsHostPort(o.listen); }),
    MakeRow<&Options::metrics_listen>(
        "metrics-listen",
        "Address for Prometheus, at /metrics. Port 0 picks a free one; off for none.",
        "host:port, or off",
        [](const Options& o) { return o.metrics_listen == "off" || IsHostPort(o.metrics_listen); }),
    MakeRow<&Options::model>("model", "Folder with model_card.json and the weights.", "a folder",
                             [](const Options& o) { return !o.model.empty(); }),
    MakeRow<&Options::engine>(
        "engine",
        "What computes. auto: the fastest that agrees with the network in double precision; any "
        "other is refused if it does not. torch and torch-eager, the modules as written, load "
        "LibTorch.",
        "auto, simd, torch or torch-eager",
        [](const Options& o) {
          return o.engine == "auto" || o.engine == "simd" || o.engine == "torch" ||
                 o.engine == "torch-eager";
        }),
    MakeRow<&Options::threads>(
        "threads", "Worker threads. Default: the CPUs that the cgroup grants.", "1 to 1024 threads",
        [](const Options& o) { return Within(1, o.threads, 1024); }),
    MakeRow<&Options::max_batch_size>(
        "max-batch-size",
        "Images that are classified together. Every size is warmed up before the server is ready.",
        "1 to 1024 images", [](const Options& o) { return Within(1, o.max_batch_size, 1024); }),
    MakeRow<&Options::queue_capacity>(
        "queue-capacity", "Images that may wait; beyond, requests fail with RESOURCE_EXHAUSTED.",
        "at least max-batch-size images",
        [](const Options& o) { return o.queue_capacity >= o.max_batch_size; }),
    MakeRow<&Options::max_queue_delay>(
        "max-queue-delay", "How long an idle worker waits for a batch to fill.",
        "a duration with a unit, 0s to 1s, for example 200us",
        [](const Options& o) {
          return absl::ZeroDuration() <= o.max_queue_delay && o.max_queue_delay <= absl::Seconds(1);
        }),
    MakeRow<&Options::max_images_per_request>(
        "max-images-per-request",
        "Images in one request; beyond, it fails with INVALID_ARGUMENT. Not above queue-capacity.",
        "1 to queue-capacity images",
        [](const Options& o) { return Within(1, o.max_images_per_request, o.queue_capacity); }),
    MakeRow<&Options::drain_timeout>(
        "drain-timeout",
        "On SIGTERM, how long accepted requests may take before they are cancelled.",
        "a duration with a unit, 0s to 1h, for example 30s",
        [](const Options& o) {
          return absl::ZeroDuration() <= o.drain_timeout && o.drain_timeout <= absl::Hours(1);
        }),
    MakeRow<&Options::max_connection_age>(
        "max-connection-age",
        "How long until a client is asked to connect anew, which spreads clients over new servers; "
        "0s for never. Calls that run are finished.",
        "a duration with a unit, 1s to 24h, for example 5m, or 0s",
        [](const Options& o) {
          return o.max_connection_age == absl::ZeroDuration() ||
                 (absl::Seconds(1) <= o.max_connection_age &&
                  o.max_connection_age <= absl::Hours(24));
        }),
    MakeRow<&Options::log_level>(
        "log-level", "What is logged to stderr.", "debug, info, warn, error or off",
        [](const Options& o) {
          return o.log_level == "debug" || o.log_level == "info" || o.log_level == "warn" ||
                 o.log_level == "error" || o.log_level == "off";
        }),
};

std::string EnvironmentName(absl::string_view name) {
  return absl::StrCat("HELLOCNN_", absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}})));
}

const Row* FindRow(const std::string& name) {
  const auto row = std::find_if(kRows.begin(), kRows.end(),
                                [&name](const Row& candidate) { return candidate.name == name; });
  return row == kRows.end() ? nullptr : &*row;
}

absl::Status Refuse(const Row& row, absl::string_view value, absl::string_view source) {
  return absl::InvalidArgumentError(absl::StrCat("option ", row.name, source.empty() ? "" : " (",
                                                 source, source.empty() ? "" : ")", " is \"", value,
                                                 "\", wanted ", row.wanted));
}

struct Given {
  std::string value;
  std::string source;
};
// What has been given so far, by option name. Sources are read in the order of precedence: emplace
// keeps the first.
using GivenOptions = std::map<std::string, Given>;

// The environment also serves --config. HELLOCNN_SERVER is the command line client's.
absl::Status ReadEnvironment(GivenOptions* given) {
  std::map<std::string, std::string> known = {{EnvironmentName("config"), "config"}};
  for (const Row& row : kRows) known.emplace(EnvironmentName(row.name), row.name);
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string entry = *variable;
    const std::string name = entry.substr(0, entry.find('='));
    if (name.rfind("HELLOCNN_", 0) != 0 || name == "HELLOCNN_SERVER") continue;
    const auto option = known.find(name);
    if (option == known.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("environment variable ", name, " is not an option; see --help"));
    }
    given->emplace(option->second, Given{entry.substr(name.size() + 1), "environment " + name});
  }
  return absl::OkStatus();
}

// What CLI11's parser would change without a word: it skips lines of one or two characters, and
// cuts a value at a '#', even within quotes.
absl::Status CheckLine(absl::string_view line) {
  const absl::string_view text = absl::StripAsciiWhitespace(line);
  if (text.empty() || text.front() == '#') return absl::OkStatus();
  if (text.size() < 3) return absl::InvalidArgumentError("wanted option = value");
  const std::size_t hash = text.find('#');
  if (hash == absl::string_view::npos) return absl::OkStatus();
  const absl::string_view before = text.substr(0, hash);
  const bool starts_comment =
      absl::ascii_isspace(before.back()) && std::count(before.begin(), before.end(), '"') % 2 == 0;
  return starts_comment ? absl::OkStatus()
                        : absl::InvalidArgumentError(
                              "a value in a file cannot contain #; use the flag or the "
                              "environment, or put a space before a comment");
}

absl::Status ReadFile(const std::string& path, GivenOptions* given) {
  std::ifstream file(path);
  std::error_code error;
  if (!file || std::filesystem::is_directory(path, error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("option config: cannot read ", path, "; wanted a file"));
  }
  // All at once, for it may be a pipe, and is read twice.
  std::stringstream text(std::string(std::istreambuf_iterator<char>(file), {}));
  std::string line;
  for (int number = 1; std::getline(text, line); ++number) {
    if (absl::Status status = CheckLine(line); !status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("file ", path, ", line ", number, ": \"", line, "\": ", status.message()));
    }
  }
  text.clear();
  text.seekg(0);
  CLI::ConfigTOML format;
  // No option is a list; without this "[::]:8500" would begin one.
  format.arrayBounds('\1', '\1');
  std::map<std::string, std::string> values;
  try {
    for (const CLI::ConfigItem& item : format.from_config(text)) {
      if (FindRow(item.fullname()) == nullptr) {
        return absl::InvalidArgumentError(
            absl::StrCat("file ", path, ": ", item.fullname(), " is not an option; see --help"));
      }
      if (item.inputs.size() != 1 || !values.emplace(item.name, item.inputs[0]).second) {
        return absl::InvalidArgumentError(
            absl::StrCat("file ", path, ": ", item.name, " is given more than once"));
      }
    }
  } catch (const CLI::Error& wrong) {
    return absl::InvalidArgumentError(absl::StrCat("file ", path, ": ", wrong.what()));
  }
  for (const auto& [name, value] : values) given->emplace(name, Given{value, "file " + path});
  return absl::OkStatus();
}

std::string HelpText(const Options& defaults) {
  std::string text =
      "Serves HelloCNN over gRPC.\n\nUsage: hellocnn-server [--option=value]...\n\n"
      "A flag wins over the environment, which wins over the file of --config.\n\nOptions:\n";
  for (const Row& row : kRows) {
    absl::StrAppendFormat(&text, "  --%s=%s\n      %s\n      Wanted: %s. Environment: %s.\n",
                          row.name, row.show(defaults), row.help, row.wanted,
                          EnvironmentName(row.name));
  }
  absl::StrAppend(
      &text, "  --config=FILE\n      Lines of the form: option = value. Environment: ",
      EnvironmentName("config"),
      ".\n"
      "  --print-config\n      Print every option with its source, as such a file, and exit.\n"
      "  --version\n      Print the version and exit.\n"
      "  -h, --help\n      Print this and exit.\n\n"
      "The values shown are the defaults here.\n\n"
      "Examples:\n"
      "  hellocnn-server --listen=0.0.0.0:8500 --max-queue-delay=200us\n"
      "  HELLOCNN_THREADS=4 hellocnn-server --config=server.toml\n"
      "  hellocnn-server --print-config > server.toml\n");
  return text;
}

std::string ConfigText(const std::vector<OptionSource>& sources) {
  const auto quoted = [](const OptionSource& source) {
    int number;  // TOML wants quotes around all but numbers
    return absl::SimpleAtoi(source.value, &number) ? source.value
                                                   : absl::StrCat("\"", source.value, "\"");
  };
  std::size_t widest_name = 0;
  std::size_t widest_value = 0;
  for (const OptionSource& source : sources) {
    widest_name = std::max(widest_name, source.name.size());
    widest_value = std::max(widest_value, quoted(source).size());
  }
  std::string text;
  for (const OptionSource& source : sources) {
    absl::StrAppendFormat(&text, "%-*s = %-*s  # %s\n", static_cast<int>(widest_name), source.name,
                          static_cast<int>(widest_value), quoted(source), source.source);
  }
  return text;
}

}  // namespace

absl::Status Options::Validate() const {
  for (const Row& row : kRows) {
    if (!row.valid(*this)) return Refuse(row, row.show(*this), "");
  }
  return absl::OkStatus();
}

absl::StatusOr<ParsedOptions> ParseOptions(int argc, const char* const* argv) {
  ParsedOptions parsed;
  parsed.options.threads = GrantedCpus();

  // CLI11 reads the flags only: its own environment and file would not tell which of them a value
  // came from.
  CLI::App app;
  app.set_help_flag("");
  bool help = false;
  bool version = false;
  bool print_config = false;
  app.add_flag("-h,--help", help);
  app.add_flag("--version", version);
  app.add_flag("--print-config", print_config);
  std::map<std::string, std::string> flags = {{"config", ""}};
  for (const Row& row : kRows) flags[row.name];
  for (auto& [name, value] : flags) app.add_option("--" + name, value);
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
  } catch (const CLI::Error& error) {
    return absl::InvalidArgumentError(absl::StrCat(error.what(), "; see --help"));
  }
  if (help || version) {
    parsed.action = ParsedOptions::Action::kPrintAndExit;
    parsed.text =
        help ? HelpText(parsed.options) : absl::StrCat("hellocnn-server ", kVersion, "\n");
    return parsed;
  }

  GivenOptions given;
  for (const auto& [name, value] : flags) {
    if (app.count("--" + name) > 0) given.emplace(name, Given{value, "flag"});
  }
  if (absl::Status status = ReadEnvironment(&given); !status.ok()) return status;
  if (const auto config = given.find("config"); config != given.end()) {
    if (absl::Status status = ReadFile(config->second.value, &given); !status.ok()) return status;
  }

  for (const Row& row : kRows) {
    const auto from = given.find(row.name);
    if (from == given.end()) {
      // A request must fit in the queue: who asks for a small queue need not ask for that too.
      if (row.name == absl::string_view("max-images-per-request")) {
        parsed.options.max_images_per_request =
            std::min(parsed.options.max_images_per_request, parsed.options.queue_capacity);
      }
      parsed.sources.push_back({row.name, row.show(parsed.options), "default"});
      continue;
    }
    const auto& [value, source] = from->second;
    if (!row.set(value, &parsed.options)) return Refuse(row, value, source);
    parsed.sources.push_back({row.name, row.show(parsed.options), source});
  }
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (!kRows[i].valid(parsed.options)) {
      return Refuse(kRows[i], parsed.sources[i].value, parsed.sources[i].source);
    }
  }
  if (print_config) {
    parsed.action = ParsedOptions::Action::kPrintAndExit;
    parsed.text = ConfigText(parsed.sources);
  }
  return parsed;
}

}  // namespace hellocnn::server
