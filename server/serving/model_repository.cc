#include "server/serving/model_repository.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "hellocnn/model_card.h"
#include "hellocnn/topology.h"
#include "server/serving/model_registry.h"

namespace hellocnn::server {
namespace {

constexpr char kCard[] = "/model_card.json";

bool IsVersionNumber(const std::string& name) {
  return !name.empty() && name.size() <= 18 &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool Exists(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) == 0;
}

// Returns the names in a folder, sorted, without those that begin with a dot.
absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()), &closedir);
  if (folder == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read the folder ", path));
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(folder.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  if (errno != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read the folder ", path));
  }
  std::sort(names.begin(), names.end());
  return names;
}

// Returns nothing if the file has vanished.
std::optional<std::string> FingerprintOfFile(const std::string& path) {
  struct stat found {};
  // A link to nowhere is a file too, and it is told what is wrong with it when it is loaded.
  if (stat(path.c_str(), &found) != 0 && lstat(path.c_str(), &found) != 0) return std::nullopt;
  return absl::StrCat(found.st_dev, "/", found.st_ino, "/", found.st_size, "/",
                      found.st_mtim.tv_sec, ".", found.st_mtim.tv_nsec);
}

// Returns nothing if the folder or a file of it has vanished.
std::optional<std::string> Fingerprint(const std::string& path) {
  const absl::StatusOr<std::vector<std::string>> names = NamesIn(path);
  if (!names.ok()) return std::nullopt;
  std::string fingerprint;
  for (const std::string& name : *names) {
    const std::optional<std::string> file = FingerprintOfFile(absl::StrCat(path, "/", name));
    if (!file.has_value()) return std::nullopt;
    absl::StrAppend(&fingerprint, name, " ", *file, "\n");
  }
  return fingerprint;
}

// The name of a folder as it lies in the file system, whatever it was called: "." has a name too.
std::string NameOf(const std::string& path) {
  std::error_code error;
  std::filesystem::path absolute = std::filesystem::absolute(path, error).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  return absolute.filename().string();
}

// Appends the versions of a model, the highest first.
absl::Status AddVersions(const std::string& path, const std::string& model,
                         std::vector<VersionFolder>* versions) {
  absl::StatusOr<std::vector<std::string>> names = NamesIn(path);
  if (!names.ok()) return names.status();
  std::sort(names->begin(), names->end(),
            [](const std::string& a, const std::string& b) { return VersionOrder()(b, a); });
  for (const std::string& name : *names) {
    const std::string folder = absl::StrCat(path, "/", name);
    if (!IsVersionNumber(name) || !Exists(folder + kCard)) continue;
    std::optional<std::string> fingerprint = Fingerprint(folder);
    if (!fingerprint.has_value()) continue;
    versions->push_back({.model = model,
                         .version = name,
                         .path = folder,
                         .fingerprint = *std::move(fingerprint),
                         .must_match_card = true});
  }
  return absl::OkStatus();
}

// Appends the versions of all models. A file beside them, or a folder that may not be read, is no
// model.
absl::Status AddModels(const std::string& path, std::vector<VersionFolder>* versions) {
  const absl::StatusOr<std::vector<std::string>> names = NamesIn(path);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const std::string folder = absl::StrCat(path, "/", name);
    struct stat found {};
    if (stat(folder.c_str(), &found) != 0 || !S_ISDIR(found.st_mode)) continue;
    if (absl::Status status = AddVersions(folder, name, versions); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelRepository> ModelRepository::Open(const std::string& path) {
  if (Exists(path + kCard)) return ModelRepository(path, Kind::kVersion);
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot find the model ", path));
  }
  if (S_ISREG(found.st_mode)) return ModelRepository(path, Kind::kFile);
  if (!S_ISDIR(found.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(
        path,
        " is neither a file nor a folder; wanted weights, or the folder of a version, a model "
        "or a repository"));
  }
  std::vector<VersionFolder> versions;
  if (absl::Status status = AddVersions(path, NameOf(path), &versions); !status.ok()) return status;
  if (!versions.empty()) return ModelRepository(path, Kind::kModel);
  if (absl::Status status = AddModels(path, &versions); !status.ok()) return status;
  if (!versions.empty()) return ModelRepository(path, Kind::kRepository);
  return absl::NotFoundError(absl::StrCat(
      "there is no model in ", path, "; wanted ", path,
      "/model_card.json (a version), or folders such as 1 with one (a model), or folders of models "
      "(a repository)"));
}

absl::StatusOr<std::vector<VersionFolder>> ModelRepository::Scan() const {
  std::vector<VersionFolder> versions;
  absl::Status status;
  switch (kind_) {
    case Kind::kFile: {
      const std::optional<std::string> fingerprint = FingerprintOfFile(path_);
      if (!fingerprint.has_value()) return absl::NotFoundError(path_ + " is gone");
      const ModelCard card = CardWithDefaults(path_, kMinClasses, "");
      versions.push_back({.model = card.name,
                          .version = card.version,
                          .path = path_,
                          .is_weight_file = true,
                          .fingerprint = *fingerprint});
      break;
    }
    case Kind::kModel:
      status = AddVersions(path_, NameOf(path_), &versions);
      break;
    case Kind::kRepository:
      status = AddModels(path_, &versions);
      break;
    case Kind::kVersion:
      VersionFolder only{.model = NameOf(path_), .path = path_};
      const absl::StatusOr<ModelCard> card = LoadModelCard(path_);
      if (card.ok()) {
        only.model = card->name;
        only.version = card->version;
      } else if (!Exists(path_ + kCard)) {
        return card.status();
      }
      only.fingerprint = Fingerprint(path_).value_or("");
      versions.push_back(std::move(only));
  }
  if (!status.ok()) return status;
  return versions;
}

}  // namespace hellocnn::server
