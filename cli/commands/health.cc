// hellocnn health: is the server ready?
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "cli/app.h"

namespace hellocnn::cli {
namespace {

constexpr char kExamples[] = R"(
Prints SERVING (exit code 0), or NOT_SERVING or what else the server says (exit code 1).

Examples:
  hellocnn health
  hellocnn health --service hellocnn.v1.ClassifierService
  hellocnn health --service models/mnist/versions/2
  until hellocnn health --timeout 1s; do sleep 1; done)";

int Run(const GlobalOptions& global, const std::string& service) {
  const absl::StatusOr<client::Client> client = Connect(global);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<client::HealthStatus> health = client->CheckHealth(service);
  if (!health.ok()) {
    if (health.status().code() != absl::StatusCode::kNotFound) return Fail(health.status());
    return Fail(absl::NotFoundError("the server at " + client->target() + " has no service '" +
                                    service + "'"));
  }
  std::cout << client::ToString(*health) << "\n";
  return *health == client::HealthStatus::kServing ? kExitOk : kExitFailed;
}

}  // namespace

void AddHealth(CLI::App& app, const GlobalOptions& global, Action& action) {
  CLI::App* command = app.add_subcommand("health", "Asks whether the server is ready");
  command->footer(kExamples);
  auto service = std::make_shared<std::string>();
  command
      ->add_option("--service", *service,
                   "fully qualified service, models/NAME, or models/NAME/versions/VERSION; the "
                   "server as a whole by default")
      ->type_name("NAME");
  command->callback([&global, &action, service] {
    action = {[&global, service] { return Run(global, *service); }};
  });
}

}  // namespace hellocnn::cli
