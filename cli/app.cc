#include "cli/app.h"

#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/command_line/command_line.h"
#include "base/input.h"
#include "base/shown.h"
#include "base/threads.h"
#include "base/version.h"
#include "cli/reference.h"
#include "client/target.h"
#include "client/token.h"

namespace hellocnn::cli {
namespace {

constexpr char kExamples[] = R"(
Examples:
  hellocnn classify digit.png                    which digit is it?
  hellocnn classify --invert scan.jpg            dark ink on light paper
  hellocnn evaluate --data data/mnist-test       accuracy over the test set
  hellocnn describe --offline                    the network, layer by layer
  hellocnn model check models                    can these models be served?
  hellocnn models                                the models that the server has
  hellocnn load --rate 500 --duration 30s        rate and latency under load
  hellocnn tune --slo p99=5ms                    which flags serve most?
  hellocnn token new --output token              for a server with access control
  hellocnn --server infer.example:8500 health    is it ready?

Exit codes: 0 fine, 1 failed, 2 wrong usage. `hellocnn COMMAND --help` says more.)";

constexpr char kTokenFileVariable[] = "HELLOCNN_TOKEN_FILE";
constexpr char kTokenVariable[] = "HELLOCNN_TOKEN";

std::string CheckTimeout(const std::string& text) {
  absl::Duration duration;
  if (!absl::ParseDuration(text, &duration)) {
    return "'" + text +
           "' is not a duration; wanted is a number with a unit, such as 500ms, 5s or 2m";
  }
  if (duration <= absl::ZeroDuration())
    return "the timeout is " + text + "; it must be greater than 0";
  return "";
}

// Adds the options of all commands, which parsing writes to `global`.
void AddSharedOptions(CLI::App& app, GlobalOptions& global) {
  app.add_option("--server", global.server, "where the server listens: host:port or unix:/path")
      ->envname("HELLOCNN_SERVER")
      ->type_name("TARGET")
      ->capture_default_str();
  app.add_option("--timeout", global.timeout, "limit for each call, as 500ms, 5s or 2m")
      ->check(CLI::Validator(CheckTimeout, "", "duration"))
      ->type_name("DURATION")
      ->capture_default_str();
  app.add_flag("--round-robin", global.round_robin,
               "spread calls over all addresses of the server that are healthy");
  app.add_flag("--tls", global.tls, "encrypt, and trust the authorities that the system trusts");
  app.add_option("--tls-ca", global.tls_ca, "encrypt, and trust the certificates in this PEM file")
      ->type_name("FILE");
  app.add_option(
         "--proxy", global.proxy,
         "HTTP proxy as http://host:port, or environment for that of https_proxy; not used for "
         "this machine")
      ->type_name("URL");
  app.add_option("--token-file", global.token_file,
                 "file with the token for a server with access control; HELLOCNN_TOKEN may have "
                 "the token itself")
      ->envname(kTokenFileVariable)
      ->check(CLI::Validator(CheckNotEmpty, "", "not empty"))
      ->type_name("FILE");
  app.add_flag("--allow-plaintext-token", global.allow_plaintext_token,
               "send the token without TLS even to other machines");
}

// Takes the token out of the environment, which children would inherit and which others may see.
// Returns what is wrong with how the token is given, or "".
std::string TakeToken(GlobalOptions& global) {
  const char* const token = std::getenv(kTokenVariable);
  if (token != nullptr) global.token = token;
  unsetenv(kTokenVariable);
  if (!global.token.empty() && !global.token_file.empty()) {
    const char* const file = std::getenv(kTokenFileVariable);
    if (file != nullptr && global.token_file == file) {
      return absl::StrCat(kTokenVariable, " and ", kTokenFileVariable,
                          " are both set; wanted one of them");
    }
    global.token.clear();  // the flag is nearer
  }
  // Neither a core dump nor another process of the user may show the token.
  if (!global.token.empty() || !global.token_file.empty()) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  return "";
}

bool Uses(const Action& action, const std::string& option) {
  return std::find(action.unused.begin(), action.unused.end(), option) == action.unused.end();
}

void WarnOfReadableToken(const GlobalOptions& global) {
  if (!client::OthersMayRead(global.token_file)) return;
  std::cerr << "hellocnn: warning: " << Printable(global.token_file)
            << ": other users may read this token; chmod 600 keeps it to its owner\n";
}

// Returns an option on the command line that the action does not use, or "". The options of a
// command are not for the commands below it, as those of `load` are not for `load compare`.
std::string UnusedOption(const CLI::App& app, const Action& action) {
  for (const CLI::Option* option : app.parse_order()) {
    if (!Uses(action, option->get_name())) return option->get_name();
  }
  const CLI::App& command = *app.get_subcommands().front();
  if (command.get_subcommands().empty() || command.parse_order().empty()) return "";
  return command.parse_order().front()->get_name();
}

// Returns what is wrong with the shared options for this action, or "".
std::string WrongUsage(const CLI::App& app, const GlobalOptions& global, const Action& action) {
  const std::string unused = UnusedOption(app, action);
  if (!unused.empty()) return absl::StrCat(unused, ": ", action.why_unused);
  if (!Uses(action, "--server")) return "";
  const auto target = client::ParseTarget(global.server);
  if (target.ok()) return "";
  const char* const variable = std::getenv("HELLOCNN_SERVER");
  const bool given = variable != nullptr && global.server == variable;
  return absl::StrCat(given ? "HELLOCNN_SERVER" : "--server", ": ", target.status().message());
}

// Returns `code`, unless not everything could be printed.
int FlushOutput(int code) {
  std::cout.flush();
  if (std::cout) return code;
  return Fail(absl::DataLossError("standard output could not be written to the end"));
}

}  // namespace

std::vector<std::string> AllSharedOptions() {
  CLI::App app;
  app.set_help_flag();  // none
  GlobalOptions global;
  AddSharedOptions(app, global);
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) names.push_back(option->get_name());
  return names;
}

void AddOutputOption(CLI::App& command, bool& json, const std::string& name) {
  command
      .add_option_function<std::string>(
          name, [&json](const std::string& format) { json = format == "json"; },
          "text for people or json, one document on standard output")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT")
      ->default_str("text");
}

std::string CheckNotEmpty(const std::string& text) {
  return text.empty() ? "is empty; leave the option out, or give it a value" : "";
}

absl::StatusOr<client::Client> Connect(const GlobalOptions& global) {
  if (absl::Status status = CheckThreads(kGrpcThreads); !status.ok()) return status;
  client::ClientOptions options;
  options.target = global.server;
  options.round_robin = global.round_robin;
  options.proxy = global.proxy;
  if (global.tls || !global.tls_ca.empty()) options.tls.emplace();
  if (!global.tls_ca.empty()) {
    constexpr std::size_t kMostBytes = std::size_t{4} << 20;
    absl::StatusOr<std::string> certificates = ReadText(global.tls_ca, kMostBytes);
    if (!certificates.ok()) return certificates.status();
    if (!absl::StrContains(*certificates, "-----BEGIN CERTIFICATE-----")) {
      return absl::InvalidArgumentError(
          absl::StrCat(global.tls_ca,
                       ": there is no certificate in it; wanted is PEM, with lines "
                       "-----BEGIN CERTIFICATE-----"));
    }
    options.tls->ca_certificates = *std::move(certificates);
  }
  if (!global.token.empty()) {
    absl::Status good = client::CheckToken(global.token, kTokenVariable);
    if (!good.ok()) return good;
  }
  if (!global.token_file.empty() || !global.token.empty()) {
    options.token = client::TokenOptions{.file = global.token_file,
                                         .value = global.token,
                                         .allow_plaintext = global.allow_plaintext_token};
  }
  if (!absl::ParseDuration(global.timeout, &options.default_timeout)) {
    return absl::InvalidArgumentError("bad --timeout " + global.timeout);
  }
  return client::Client::Create(std::move(options));
}

int Fail(const absl::Status& status) {
  std::cerr << "hellocnn: " << Printable(std::string(status.message())) << " ["
            << absl::StatusCodeToString(status.code()) << "]\n";
  return kExitFailed;
}

int Main(int argc, char** argv) {
  CLI::App app("Classifies handwritten digits with a HelloCNN server.", "hellocnn");
  app.footer(kExamples);
  app.set_version_flag("--version", absl::StrCat("hellocnn ", kVersion));
  // A hidden option, for the documents.
  app.add_flag_callback("--print-options-markdown",
                        [&app] { throw CLI::CallForVersion(MarkdownReference(app), 0); })
      ->group("");
  app.require_subcommand(1);
  app.fallthrough();  // --server is understood after the subcommand too
  GlobalOptions global{.server = "127.0.0.1:8500", .timeout = "5s"};
  AddSharedOptions(app, global);
  Action action;
  AddClassify(app, global, action);
  AddEvaluate(app, global, action);
  AddDescribe(app, global, action);
  AddModel(app, global, action);
  AddModels(app, global, action);
  AddHealth(app, global, action);
  AddLoad(app, global, action);
  AddTune(app, global, action);
  AddToken(app, global, action);
  AddCompletion(app, action);
  for (CLI::App* command : app.get_subcommands({})) command->fallthrough();
  if (const std::optional<int> code = ParseCommandLine(app, argc, argv)) return *code;
  std::string wrong = TakeToken(global);
  if (!Uses(action, "--token-file")) wrong.clear();  // the variables are for other commands
  if (wrong.empty()) wrong = WrongUsage(app, global, action);
  if (!wrong.empty()) {
    std::cerr << "hellocnn: " << Printable(wrong) << "\n";
    return kExitUsage;
  }
  if (Uses(action, "--token-file")) WarnOfReadableToken(global);
  return FlushOutput(action.run());
}

}  // namespace hellocnn::cli
