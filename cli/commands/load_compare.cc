// hellocnn load compare: what has changed from one measurement to another?
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "base/shown.h"
#include "cli/app.h"
#include "loadgen/report/compare.h"
#include "loadgen/report/text.h"

namespace hellocnn::cli {
namespace {

constexpr char kExamples[] = R"(
A change is sure if the 95% intervals of the two do not overlap; they hold for
one run of many independent responses. Only a sure change fulfils --fail-if.
Metrics: rate, mean, p50, p90, p95, p99, p99.9.

Examples:
  hellocnn load --output json > before.json
  hellocnn load compare before.json after.json
  hellocnn load compare before.json after.json --fail-if 'p99>+10%')";

struct Options {
  std::string before;
  std::string after;
  std::vector<load::Condition> conditions;
  bool allow_differences = false;
};

int Run(const Options& options) {
  const absl::StatusOr<load::Comparison> comparison = load::Compare(options.before, options.after);
  if (!comparison.ok()) return Fail(comparison.status());
  const std::vector<load::Change>& changes = comparison->changes;
  if (!comparison->differences.empty() && !options.allow_differences) {
    std::cerr << "hellocnn: not compared, because the two were measured differently:\n";
    for (const std::string& difference : comparison->differences) {
      std::cerr << load::Wrapped("", difference, 2);
    }
    std::cerr << "measure both alike, or give --allow-differences\n";
    return kExitFailed;
  }
  for (const std::string& difference : comparison->differences) {
    std::cout << load::Wrapped("differs", difference);
  }
  for (const std::string& note : comparison->notes) std::cout << load::Wrapped("note", note);
  if (!comparison->differences.empty() || !comparison->notes.empty()) std::cout << "\n";
  std::cout << load::ToText(changes);
  int code = kExitOk;
  for (const load::Condition& condition : options.conditions) {
    bool known = false;
    for (const load::Change& change : changes) {
      known = known || change.metric == condition.metric;
      if (!condition.Holds(change)) continue;
      std::cerr << "hellocnn: " << Printable(condition.text) << " holds\n";
      code = kExitFailed;
    }
    if (!known) {
      code = Fail(absl::FailedPreconditionError(
          condition.text + ": one of the two has too few responses to know " + condition.metric));
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
  command->add_flag("--allow-differences", options->allow_differences,
                    "compare even if the two were measured with another load, or interrupted");
  command->callback([&action, options] {
    action = {[options] { return Run(*options); }, AllSharedOptions(),
              "hellocnn load compare does not use it, because it only reads two files"};
  });
}

}  // namespace hellocnn::cli
