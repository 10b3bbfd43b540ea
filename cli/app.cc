#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/version.h"
#include "cli/reference.h"

namespace hellocnn::cli {
namespace {

constexpr char kExamples[] = R"(
Examples:
  hellocnn classify digit.png                    which digit is it?
  hellocnn classify --invert scan.jpg            dark ink on light paper
  hellocnn evaluate --data data/mnist-test       accuracy over the test set
  hellocnn describe --offline                    the network, layer by layer
  hellocnn load --rate 500 --duration 30s        rate and latency under load
  hellocnn tune --slo p99=5ms                    which flags serve the highest rate?
  hellocnn --server infer.example:8500 health    is it ready?

Exit codes: 0 fine, 1 failed, 2 wrong usage. `hellocnn COMMAND --help` says more.)";

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

}  // namespace

void AddOutputOption(CLI::App& command, bool& json) {
  command
      .add_option_function<std::string>(
          "--output", [&json](const std::string& format) { json = format == "json"; },
          "text for people or json, one document on standard output")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT")
      ->default_str("text");
}

absl::StatusOr<client::Client> Connect(const GlobalOptions& global) {
  client::ClientOptions options;
  options.target = global.server;
  options.round_robin = global.round_robin;
  if (!absl::ParseDuration(global.timeout, &options.default_timeout)) {
    return absl::InvalidArgumentError("bad --timeout " + global.timeout);
  }
  return client::Client::Create(std::move(options));
}

int Fail(const absl::Status& status) {
  std::cerr << "hellocnn: " << std::string(status.message()) << " ["
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
  GlobalOptions global{"127.0.0.1:8500", "5s", false};
  app.add_option("--server", global.server, "where the server listens, as host:port")
      ->envname("HELLOCNN_SERVER")
      ->type_name("TARGET")
      ->capture_default_str();
  app.add_option("--timeout", global.timeout, "limit for each call, as 500ms, 5s or 2m")
      ->check(CLI::Validator(CheckTimeout, "", "duration"))
      ->type_name("DURATION")
      ->capture_default_str();
  app.add_flag("--round-robin", global.round_robin,
               "spread calls over all addresses of the server that are healthy");
  Action action;
  AddClassify(app, global, action);
  AddEvaluate(app, global, action);
  AddDescribe(app, global, action);
  AddHealth(app, global, action);
  AddLoad(app, global, action);
  AddTune(app, global, action);
  AddCompletion(app, action);
  for (CLI::App* command : app.get_subcommands({})) command->fallthrough();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // CLI11's own message would only say that a subcommand is required.
    if (error.get_exit_code() == int(CLI::ExitCodes::RequiredError) &&
        app.get_subcommands().empty() && !app.remaining().empty()) {
      std::cerr << "'" << app.remaining().front() << "' is not a subcommand\n"
                << "Run with --help for more information.\n";
      return kExitUsage;
    }
    return app.exit(error) == 0 ? kExitOk : kExitUsage;  // --help and --version also end here
  }
  const int code = action();
  std::cout.flush();
  if (!std::cout)
    return Fail(absl::DataLossError("standard output could not be written to the end"));
  return code;
}

}  // namespace hellocnn::cli
