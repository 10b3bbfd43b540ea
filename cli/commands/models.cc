// hellocnn models, and hellocnn model list: which models does the server have?
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstddef>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/shown.h"
#include "cli/app.h"
#include "cli/commands/model_commands.h"
#include "loadgen/report/json.h"

namespace hellocnn::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kExamples[] = R"(
A version is SERVING if requests can name it, LOADING before that, and DRAINING
while it finishes its last requests. It is STANDBY if a higher version has replaced
it and it can take over again, and ROLLED_BACK if that has happened to it. It is
FAILED if it cannot be served; the reason says why, and the exit code is 0 all the
same. The current version serves requests that name only the model. The default
one serves those that name none.
A candidate computes a share of them too: see `hellocnn model rollout --help`.

Examples:
  hellocnn models
  hellocnn models --output json | jq '.models[] | select(.state == "FAILED")'
  hellocnn describe --model mnist --model-version 1)";

constexpr std::size_t kColumns = 5;
using Row = std::array<std::string, kColumns>;

std::string RoleOf(const client::ModelStatus& status) {
  if (status.rollout.has_value()) {
    return absl::StrCat("candidate, ",
                        absl::AsciiStrToLower(client::ToString(status.rollout->mode)), " of ",
                        absl::StrFormat("%.4g%%", 100 * status.rollout->share));
  }
  if (status.is_current && status.is_default) return "current, default";
  return status.is_current ? "current" : status.is_default ? "default" : "";
}

void PrintText(const std::vector<client::ModelStatus>& models) {
  if (models.empty()) {
    std::cout << "The server has no models.\n";
    return;
  }
  std::vector<Row> rows = {{"model", "version", "state", "role", "reason"}};
  for (const client::ModelStatus& status : models) {
    rows.push_back({Printable(status.model.name), Printable(status.model.version),
                    client::ToString(status.state), RoleOf(status), Printable(status.reason)});
  }
  std::array<std::size_t, kColumns> widths{};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&line, row[i], std::string(widths[i] - row[i].size() + 2, ' '));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    std::cout << line << "\n";
  }
}

void PrintJson(const std::vector<client::ModelStatus>& models) {
  Json document = {{"models", Json::array()}};
  for (const client::ModelStatus& status : models) {
    document["models"].push_back({{"name", status.model.name},
                                  {"version", status.model.version},
                                  {"state", client::ToString(status.state)},
                                  {"is_current", status.is_current},
                                  {"is_default", status.is_default},
                                  {"reason", status.reason}});
    if (!status.rollout.has_value()) continue;
    document["models"].back()["rollout"] = {{"mode", client::ToString(status.rollout->mode)},
                                            {"share", status.rollout->share}};
  }
  std::cout << load::DumpJson(document, 2) << "\n";
}

int Run(const GlobalOptions& global, bool json) {
  const absl::StatusOr<client::Client> client = Connect(global);
  if (!client.ok()) return Fail(client.status());
  const absl::StatusOr<std::vector<client::ModelStatus>> models = client->ListModels();
  if (absl::IsUnimplemented(models.status())) {
    return Fail(absl::UnimplementedError(
        absl::StrCat("the server at ", client->target(),
                     " cannot list its models; `hellocnn describe` shows the one that it has")));
  }
  if (!models.ok()) return Fail(models.status());
  json ? PrintJson(*models) : PrintText(*models);
  return kExitOk;
}

constexpr char kDescription[] = "Lists the versions of the server's models and their states";

}  // namespace

void AddModelList(CLI::App& model, const GlobalOptions& global, Action& action) {
  CLI::App* command = model.add_subcommand("list", kDescription);
  command->footer(kExamples);
  auto json = std::make_shared<bool>(false);
  AddOutputOption(*command, *json);
  command->callback(
      [&global, &action, json] { action = {[&global, json] { return Run(global, *json); }}; });
}

void AddModels(CLI::App& app, const GlobalOptions& global, Action& action) {
  CLI::App* command = app.add_subcommand("models", kDescription);
  command->footer(kExamples);
  auto json = std::make_shared<bool>(false);
  AddOutputOption(*command, *json);
  AddModelRollback(*command, global, action);
  command->callback([&global, &action, command, json] {
    if (!command->get_subcommands().empty()) return;
    action = {[&global, json] { return Run(global, *json); }};
  });
}

}  // namespace hellocnn::cli
