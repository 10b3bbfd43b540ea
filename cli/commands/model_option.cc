#include "cli/commands/model_option.h"

#include <CLI/CLI.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/shown.h"

namespace hellocnn::cli {
CLI::Option* AddVersionOption(CLI::App& command, const std::string& name, std::string& value,
                              const std::string& help) {
  return command.add_option(name, value, help)
      ->check(CLI::Validator(
          [](const std::string& text) {
            if (text.empty()) return std::string("is empty; leave it out for the server's choice");
            // A request holds UTF-8 only, and no model has control characters in its name.
            if (Printable(text) != text) return "'" + text + "' is not printable UTF-8";
            return std::string();
          },
          "", "name"))
      ->type_name(name == "--model" ? "NAME" : "VERSION");
}

std::vector<CLI::Option*> AddModelOptions(CLI::App& command, client::ModelVersion& model) {
  return {AddVersionOption(command, "--model", model.name,
                           "model of the server; its default model if not given"),
          AddVersionOption(command, "--model-version", model.version,
                           "version of the model; its current version if not given")};
}

absl::Status CheckModel(const client::ModelVersion& asked, const client::ModelInfo& got) {
  const bool same = (asked.name.empty() || asked.name == got.name) &&
                    (asked.version.empty() || asked.version == got.version);
  if (same) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the server has chosen model '", got.name, "', version '", got.version,
      "', whatever --model and --model-version say; it is too old to have several models"));
}

absl::StatusOr<client::ModelInfo> AskForModel(const client::Client& client,
                                              const client::ModelVersion& model) {
  absl::StatusOr<client::ModelInfo> info = client.GetModel({.model = model});
  if (absl::IsNotFound(info.status())) {
    return absl::NotFoundError(absl::StrCat(std::string(info.status().message()),
                                            "; `hellocnn models` lists the server's models"));
  }
  if (!info.ok()) return info;
  if (absl::Status same = CheckModel(model, *info); !same.ok()) return same;
  return info;
}

}  // namespace hellocnn::cli
