#include "hellocnn/repository/rollout.h"

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sync_folder.h"
#include "base/version_number.h"
#include "hellocnn/strict_json.h"

namespace hellocnn {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxBytes = 4096;
constexpr int kMaxDepth = 2;

std::string FileIn(const std::string& model_folder) {
  return absl::StrCat(model_folder, "/rollout.json");
}

// Reads the members, each of which must be there, and no other.
absl::Status Read(const Json& json, Rollout* rollout) {
  const auto wrong = [](const std::string& member, const std::string& found, const char* wanted) {
    return absl::InvalidArgumentError(
        absl::StrCat("has the member ", member, ": ", found, "; wanted ", wanted));
  };
  for (const char* member : {"candidate", "mode", "share"}) {
    if (!json.contains(member)) {
      return absl::InvalidArgumentError(
          absl::StrCat("has no member \"", member,
                       "\"; wanted one like {\"candidate\": \"3\", \"mode\": \"shadow\", "
                       "\"share\": 0.1}"));
    }
  }
  for (const auto& [name, value] : json.items()) {
    const std::string found = ShownJson(value);
    if (name == "candidate") {
      if (!value.is_string() || !IsVersionNumber(value.get<std::string>())) {
        return wrong("candidate", found, "the name of a version's folder in quotes, such as \"3\"");
      }
      rollout->candidate = value.get<std::string>();
    } else if (name == "mode") {
      if (value == "shadow") {
        rollout->mode = Rollout::Mode::kShadow;
      } else if (value == "canary") {
        rollout->mode = Rollout::Mode::kCanary;
      } else {
        return wrong("mode", found, "\"shadow\" or \"canary\"");
      }
    } else if (name == "share") {
      if (!value.is_number() || !(value.get<double>() > 0 && value.get<double>() <= 1)) {
        return wrong("share", found, "a number above 0, and at most 1");
      }
      rollout->share = value.get<double>();
    } else {
      return wrong(ShownJson(name), found, "only candidate, mode and share");
    }
  }
  return absl::OkStatus();
}

}  // namespace

const char* NameOf(Rollout::Mode mode) {
  return mode == Rollout::Mode::kShadow ? "shadow" : "canary";
}

absl::StatusOr<std::optional<Rollout>> LoadRollout(const std::string& model_folder) {
  const std::string path = FileIn(model_folder);
  const absl::StatusOr<std::string> text = ReadFileStart(path, kMaxBytes + 1);
  if (absl::IsNotFound(text.status())) return std::nullopt;
  if (!text.ok()) return text.status();
  const absl::StatusOr<Json> json = ParseStrictJson(*text, kMaxDepth);
  Rollout rollout;
  absl::Status status = json.status();
  if (text->size() > kMaxBytes) {
    status = absl::InvalidArgumentError(
        absl::StrCat("is larger than ", kMaxBytes, " bytes; wanted candidate, mode and share"));
  } else if (status.ok()) {
    status = Read(*json, &rollout);
  }
  if (!status.ok()) return absl::Status(status.code(), absl::StrCat(path, " ", status.message()));
  return rollout;
}

absl::Status SaveRollout(const std::string& model_folder, const std::optional<Rollout>& rollout) {
  const std::string path = FileIn(model_folder);
  if (rollout.has_value()) {
    const nlohmann::ordered_json json = {{"candidate", rollout->candidate},
                                         {"mode", NameOf(rollout->mode)},
                                         {"share", rollout->share}};
    return ReplaceFile(path, absl::StrCat(json.dump(), "\n"));
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return FileError(errno, path, "cannot remove it");
  }
  const int error = SyncFolder(model_folder);
  return error == 0 ? absl::OkStatus() : FileError(error, model_folder, "cannot write its names");
}

}  // namespace hellocnn
