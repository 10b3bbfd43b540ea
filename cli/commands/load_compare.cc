// hellocnn load compare: what has changed from one measurement to another?
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "cli/app.h"
#include "loadgen/report/compare.h"

namespace hellocnn::cli {
namespace {

constexpr char kExamples[] = R"(
A change is sure if the 95% intervals of the two don't overlap; they hold for one run of many independent answers. Only a
sure change fulfils --fail-if. Metrics: rate, mean, p50, p90, p95, p99, p99.9.

Examples:
  hellocnn load --output json > before.json
  hellocnn load compare before.json after.json
  hellocnn load compare before.json after.json --fail-if 'p99>+10%' --fail-if 'rate<-5%')";

struct Options {
  std::string before;
  std::string after;
  std::vector<load::Condition> conditions;
};

int Run(const Options& options) {
  const auto changes = load::Compare(options.before, options.after);
  if (!changes.ok()) return Fail(changes.status());
  std::cout << load::ToText(*changes);
  int code = kExitOk;
  for (const load::Condition& condition : options.conditions) {
    bool known = false;
    for (const load::Change& change : *changes) {
      known = known || change.metric == condition.metric;
      if (!condition.Holds(change)) continue;
      std::cerr << "hellocnn: " << condition.text << " holds\n";
      code = kExitFailed;
    }
    if (!known) {
      code = Fail(absl::FailedPreconditionError(
          condition.text + ": one of the two has too few answers to know " + condition.metric));
    }
  }
  return code;
}

}  // namespace

void AddLoadCompare(CLI::App& load, Action& action) {
  CLI::App* command = load.add_subcommand("compare", "Compares two measurements");
  command->footer(kExamples);
  auto options = std::make_shared<Options>();
  command->add_option("before", options->before, "what load --output json wrote before")
      ->required()
      ->type_name("FILE");
  command->add_option("after", options->after, "and after the change")
      ->required()
      ->type_name("FILE");
  command
      ->add_option_function<std::vector<std::string>>(
          "--fail-if",
          [options](const std::vector<std::string>& texts) {
            for (const std::string& text : texts) {
              absl::StatusOr<load::Condition> condition = load::Condition::Parse(text);
              if (!condition.ok()) {
                throw CLI::ValidationError("--fail-if", std::string(condition.status().message()));
              }
              options->conditions.push_back(*std::move(condition));
            }
          },
          "exit code 1 if this change is sure, such as 'p99>+10%'; may be repeated")
      ->type_name("CHANGE");
  command->callback([&action, options] { action = [options] { return Run(*options); }; });
}

}  // namespace hellocnn::cli
