#include "cli/images/paths.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace hellocnn::cli {
namespace {

namespace fs = std::filesystem;

// Returns true for the names that pictures have. Formats that are not read count, so that their
// pictures are not left out in silence.
bool HasPictureName(const std::string& path) {
  constexpr std::array<std::string_view, 24> kEndings = {
      ".png", ".jpg", ".jpeg", ".jpe",  ".jfif", ".webp", ".pnm", ".pbm",
      ".pgm", ".ppm", ".pam",  ".heic", ".heif", ".avif", ".tif", ".tiff",
      ".gif", ".bmp", ".svg",  ".jxl",  ".jp2",  ".psd",  ".pdf", ".qoi"};
  const std::string ending = absl::AsciiStrToLower(fs::path(path).extension().string());
  return std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end();
}

bool IsHidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

// Appends the pictures in `folder` and in those in it to `pictures`, and the folders that cannot be
// read to `errors`.
void FindPictures(const fs::path& folder, std::vector<std::string>& pictures,
                  std::deque<FoundPath>& errors) {
  std::vector<fs::path> folders = {folder};
  while (!folders.empty()) {
    const fs::path searched = std::move(folders.back());
    folders.pop_back();
    std::error_code error;
    for (fs::directory_iterator at(searched, error); !error && at != fs::directory_iterator();
         at.increment(error)) {
      if (IsHidden(at->path())) continue;
      std::error_code ignored;
      if (at->is_directory(ignored)) {
        if (!at->is_symlink(ignored)) folders.push_back(at->path());
      } else if (HasPictureName(at->path().string())) {
        pictures.push_back(at->path().string());
      }
    }
    if (!error) continue;
    const std::string name = searched.string();
    errors.push_back(
        {name, absl::ErrnoToStatus(error.value(), name + ": the folder cannot be read")});
  }
}

}  // namespace

Paths::Paths(std::vector<std::string> given, std::string list)
    : given_(given.begin(), given.end()), list_name_(std::move(list)) {}

bool Paths::Ready(absl::Duration patience) {
  if (!found_.empty() || !given_.empty() || list_name_.empty()) return true;
  absl::StatusOr<FileList>& list = List();
  return !list.ok() || list->Ready(patience);
}

std::optional<FoundPath> Paths::Next() {
  while (true) {
    if (!found_.empty()) {
      FoundPath found = std::move(found_.front());
      found_.pop_front();
      return found;
    }
    std::string path;
    if (!given_.empty()) {
      path = std::move(given_.front());
      given_.pop_front();
    } else if (!list_name_.empty()) {
      absl::StatusOr<FileList>& list = List();
      if (!list.ok()) return FoundPath{std::exchange(list_name_, ""), list.status()};
      absl::StatusOr<std::optional<std::string>> next = list->Next();
      if (!next.ok()) return FoundPath{std::exchange(list_name_, ""), next.status()};
      if (!next->has_value()) {
        list_name_.clear();
        continue;
      }
      path = **std::move(next);
    } else {
      return std::nullopt;
    }
    std::error_code ignored;
    if (path == "-" || !fs::is_directory(path, ignored)) return FoundPath{path, absl::OkStatus()};
    Search(path);
  }
}

absl::StatusOr<FileList>& Paths::List() {
  if (!list_.has_value()) list_.emplace(FileList::Open(list_name_));
  return *list_;
}

void Paths::Search(const std::string& folder) {
  std::vector<std::string> pictures;
  std::deque<FoundPath> errors;
  FindPictures(folder, pictures, errors);
  std::sort(pictures.begin(), pictures.end());
  for (std::string& picture : pictures) found_.push_back({std::move(picture), absl::OkStatus()});
  if (pictures.empty() && errors.empty()) {
    errors.push_back(
        {folder, absl::NotFoundError(absl::StrCat(
                     folder,
                     ": there is no picture in this folder; names of pictures end in .png, "
                     ".jpg, .webp, .pgm and the like"))});
  }
  std::move(errors.begin(), errors.end(), std::back_inserter(found_));
}

}  // namespace hellocnn::cli
