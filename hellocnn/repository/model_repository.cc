#include "hellocnn/repository/model_repository.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/version_number.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/model_card.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

constexpr char kCard[] = "/model_card.json";

bool IsAbsent(int error) { return error == ENOENT || error == ENOTDIR; }

// Returns false if there is no such file. An error means that nobody knows.
absl::StatusOr<bool> Exists(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) == 0) return true;
  if (IsAbsent(errno)) return false;
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot look at ", path));
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

// What changes when a file is replaced or written. NOT_FOUND: there is no such file.
absl::StatusOr<std::string> FingerprintOfFile(const std::string& path) {
  struct stat found {};
  // A link to nowhere is a file too, and it is told what is wrong with it when it is loaded.
  if (stat(path.c_str(), &found) != 0 && lstat(path.c_str(), &found) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot look at ", path));
  }
  return absl::StrCat(found.st_dev, "/", found.st_ino, "/", found.st_size, "/",
                      absl::ToUnixNanos(absl::TimeFromTimespec(found.st_mtim)), "/",
                      absl::ToUnixNanos(absl::TimeFromTimespec(found.st_ctim)));
}

// Returns the fingerprints of all files that weights consist of. If it cannot be told which those
// are, it is that of the file at `path`, which says what is wrong when it is loaded. NOT_FOUND:
// there is no such file.
absl::StatusOr<std::string> FingerprintOfWeights(const std::string& path) {
  absl::StatusOr<std::string> fingerprint = FingerprintOfFile(path);
  const absl::StatusOr<std::vector<std::string>> files = FilesOfWeights(path);
  if (!fingerprint.ok() || !files.ok()) return fingerprint;
  for (std::size_t i = 1; i < files->size(); ++i) {
    const absl::StatusOr<std::string> file = FingerprintOfFile((*files)[i]);
    absl::StrAppend(&*fingerprint, "\n", file.ok() ? *file : file.status().ToString());
  }
  return fingerprint;
}

// NOT_FOUND: the folder has vanished.
absl::StatusOr<std::string> Fingerprint(const std::string& path) {
  const absl::StatusOr<std::vector<std::string>> names = NamesIn(path);
  if (!names.ok()) return names.status();
  std::string fingerprint;
  for (const std::string& name : *names) {
    const absl::StatusOr<std::string> file = FingerprintOfFile(absl::StrCat(path, "/", name));
    if (absl::IsNotFound(file.status())) continue;  // gone since it was listed
    if (!file.ok()) return file.status();
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

// Returns the versions of a model, the highest first.
absl::StatusOr<std::vector<VersionFolder>> VersionsIn(const std::string& path,
                                                      const std::string& model) {
  absl::StatusOr<std::vector<std::string>> names = NamesIn(path);
  if (!names.ok()) return names.status();
  std::sort(names->begin(), names->end(),
            [](const std::string& a, const std::string& b) { return VersionOrder()(b, a); });
  std::vector<VersionFolder> versions;
  for (const std::string& name : *names) {
    if (!IsVersionNumber(name)) continue;
    VersionFolder version{.model = model,
                          .version = name,
                          .path = absl::StrCat(path, "/", name),
                          .must_match_card = true};
    const absl::StatusOr<bool> has_card = Exists(version.path + kCard);
    if (has_card.ok() && !*has_card) continue;
    absl::StatusOr<std::string> fingerprint = Fingerprint(version.path);
    if (absl::IsNotFound(fingerprint.status())) continue;
    version.status.Update(has_card.status());
    version.status.Update(fingerprint.status());
    if (version.status.ok()) version.fingerprint = *std::move(fingerprint);
    versions.push_back(std::move(version));
  }
  return versions;
}

void AddModel(const std::string& path, const std::string& model, FoundModels* found) {
  absl::StatusOr<std::vector<VersionFolder>> versions = VersionsIn(path, model);
  absl::Status status = versions.status();
  if (status.ok() && versions->empty()) return;  // it is no model
  const absl::StatusOr<std::optional<Rollout>> rollout = LoadRollout(path);
  status.Update(rollout.status());
  if (!status.ok()) {
    found->unreadable.emplace(model, status);
    return;
  }
  if (rollout->has_value()) found->rollouts.emplace(model, **rollout);
  std::move(versions->begin(), versions->end(), std::back_inserter(found->versions));
}

// Adds all models of a repository. A file beside them is no model.
absl::Status AddModels(const std::string& path, FoundModels* found) {
  const absl::StatusOr<std::vector<std::string>> names = NamesIn(path);
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    const std::string folder = absl::StrCat(path, "/", name);
    struct stat status {};
    if (stat(folder.c_str(), &status) != 0) {
      if (!IsAbsent(errno)) {
        found->unreadable.emplace(name, absl::ErrnoToStatus(errno, "cannot look at " + folder));
      }
    } else if (S_ISDIR(status.st_mode)) {
      AddModel(folder, name, found);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ModelRepository> ModelRepository::Open(const std::string& path) {
  const absl::StatusOr<bool> has_card = Exists(path + kCard);
  if (!has_card.ok()) return has_card.status();
  if (*has_card) return ModelRepository(path, Kind::kVersionFolder);
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot find the model ", path));
  }
  if (S_ISREG(status.st_mode)) return ModelRepository(path, Kind::kFile);
  if (!S_ISDIR(status.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(
        path,
        " is neither a file nor a folder; wanted weights, or the folder of a version, a model "
        "or a repository"));
  }
  for (const Kind kind : {Kind::kModel, Kind::kRepository}) {
    ModelRepository repository(path, kind);
    const absl::StatusOr<FoundModels> found = repository.Scan();
    if (!found.ok()) return found.status();
    if (!found->versions.empty()) return repository;
    if (!found->unreadable.empty()) return found->unreadable.begin()->second;
  }
  return absl::NotFoundError(absl::StrCat(
      "there is no model in ", path, "; wanted ", path,
      "/model_card.json (a version), or folders such as 1 with one (a model), or folders of models "
      "(a repository)"));
}

absl::StatusOr<FoundModels> ModelRepository::Scan() const {
  FoundModels found;
  switch (kind_) {
    case Kind::kFile: {
      const absl::StatusOr<std::string> fingerprint = FingerprintOfWeights(path_);
      if (!fingerprint.ok()) return fingerprint.status();
      const ModelCard card = CardWithDefaults(path_, kMinClasses, "");
      found.versions.push_back({.model = card.name,
                                .version = card.version,
                                .path = path_,
                                .is_weight_file = true,
                                .fingerprint = *fingerprint});
      break;
    }
    case Kind::kVersionFolder: {
      const absl::StatusOr<ModelCard> card = LoadModelCard(path_);
      if (!card.ok()) return card.status();
      const absl::StatusOr<std::string> fingerprint = Fingerprint(path_);
      if (!fingerprint.ok()) return fingerprint.status();
      found.versions.push_back({.model = card->name,
                                .version = card->version,
                                .path = path_,
                                .fingerprint = *fingerprint});
      break;
    }
    case Kind::kModel:
      AddModel(path_, NameOf(path_), &found);
      if (!found.unreadable.empty()) return found.unreadable.begin()->second;
      break;
    case Kind::kRepository:
      if (absl::Status status = AddModels(path_, &found); !status.ok()) return status;
      break;
  }
  return found;
}

}  // namespace hellocnn
