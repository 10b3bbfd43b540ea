#include "datasets/class_folders.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/shown.h"
#include "datasets/class_labels.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxPictures = std::size_t{1} << 20;
constexpr std::size_t kMaxEntriesOfFolder = std::size_t{1} << 21;

// What is in a folder and is not hidden, by name.
struct Listing {
  std::vector<std::string> folders;
  std::vector<std::string> pictures;
  std::vector<std::string> others;
};

// Formats that are not read count, so that their pictures are not left out in silence.
bool IsNamedAsPicture(const fs::path& path) {
  constexpr std::array<std::string_view, 24> kEndings = {
      ".png", ".jpg", ".jpeg", ".jpe",  ".jfif", ".webp", ".pnm", ".pbm",
      ".pgm", ".ppm", ".pam",  ".heic", ".heif", ".avif", ".tif", ".tiff",
      ".gif", ".bmp", ".svg",  ".jxl",  ".jp2",  ".psd",  ".pdf", ".qoi"};
  const std::string ending = absl::AsciiStrToLower(path.extension().string());
  return std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end();
}

absl::StatusOr<Listing> ListFolder(const fs::path& folder) {
  Listing listing;
  std::error_code error;
  std::size_t seen = 0;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const fs::path& path = entry->path();
    if (++seen > kMaxEntriesOfFolder) {
      return absl::InvalidArgumentError(absl::StrCat(folder.string(), ": has more than ",
                                                     kMaxEntriesOfFolder, " files; wanted ",
                                                     "at most that many"));
    }
    if (path.filename().string().starts_with('.')) continue;
    std::error_code ignored;
    if (entry->is_directory(ignored)) {
      listing.folders.push_back(path.string());
    } else {
      (IsNamedAsPicture(path) ? listing.pictures : listing.others).push_back(path.string());
    }
  }
  if (error) return FileError(error.value(), folder.string(), "cannot be read");
  for (auto* names : {&listing.folders, &listing.pictures, &listing.others}) {
    std::sort(names->begin(), names->end(), CountsBefore);
  }
  return listing;
}

std::string NameOfFolder(const std::string& path) { return fs::path(path).filename().string(); }

// Returns the part that a folder is, by its name, if there are folders in it. One that has pictures
// is that of a class.
absl::StatusOr<std::optional<DataPart>> PartOfFolder(const std::string& folder) {
  const std::optional<DataPart> part = PartOfName(absl::AsciiStrToLower(NameOfFolder(folder)));
  if (!part.has_value()) return std::nullopt;
  const absl::StatusOr<Listing> listing = ListFolder(folder);
  if (!listing.ok()) return listing.status();
  return listing->folders.empty() ? std::nullopt : part;
}

void NoteLeftOut(const std::string& where, const std::vector<std::string>& left_out,
                 const std::string& reason, ClassFolders& folders) {
  if (left_out.empty()) return;
  const std::size_t more = left_out.size() - 1;
  folders.notes.push_back(absl::StrCat(where, ": left out ", Printable(left_out.front()),
                                       more > 0 ? absl::StrCat(" and ", more, " more") : "",
                                       ", because ", reason));
}

// Reads the folders of classes in `root`. Returns nullopt if none has a picture.
absl::StatusOr<std::optional<ClassFolders>> ReadClasses(const std::string& root) {
  const absl::StatusOr<Listing> listing = ListFolder(root);
  if (!listing.ok()) return listing.status();
  ClassFolders found;
  std::vector<std::string> others = listing->others;
  std::vector<std::string> inner;  // folders in folders of classes
  std::vector<std::string> empty;
  std::size_t pictures = 0;
  for (const std::string& folder : listing->folders) {
    absl::StatusOr<Listing> content = ListFolder(folder);
    if (!content.ok()) return content.status();
    others.insert(others.end(), content->others.begin(), content->others.end());
    inner.insert(inner.end(), content->folders.begin(), content->folders.end());
    if (content->pictures.empty()) empty.push_back(folder);
    pictures += content->pictures.size();
    found.classes.push_back({NameOfFolder(folder), std::move(content->pictures)});
    if (pictures > kMaxPictures) break;
  }
  if (pictures == 0) return std::nullopt;
  const auto wrong = [&](const std::string& path, const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
  };
  if (pictures > kMaxPictures || found.classes.size() > kMaxClasses) {
    return wrong(root, absl::StrCat("has ", found.classes.size(), " folders, and ", pictures,
                                    " pictures in them; wanted at most ", kMaxClasses, " classes ",
                                    "and ", kMaxPictures, " pictures"));
  }
  if (!empty.empty()) {
    return wrong(empty.front(), "has no picture; wanted one or more in the folder of each class");
  }
  if (!inner.empty()) {
    return wrong(inner.front(), "is a folder in the folder of a class; wanted only pictures there");
  }
  NoteLeftOut(root, listing->pictures, "pictures must be in the folder of a class", found);
  NoteLeftOut(root, others, "the name is not that of a picture", found);
  return found;
}

}  // namespace

absl::StatusOr<std::optional<ClassFolders>> FindClassFolders(const std::string& where,
                                                             DataPart part, bool take_undivided) {
  std::error_code ignored;
  if (!fs::is_directory(where, ignored)) return std::nullopt;
  const absl::StatusOr<Listing> listing = ListFolder(where);
  if (!listing.ok()) return listing.status();
  std::vector<std::string> of_part;
  std::vector<std::string> of_other_part;
  std::vector<std::string> of_none;
  for (const std::string& folder : listing->folders) {
    const absl::StatusOr<std::optional<DataPart>> found = PartOfFolder(folder);
    if (!found.ok()) return found.status();
    (!found->has_value() ? of_none : **found == part ? of_part : of_other_part).push_back(folder);
  }
  const std::string wanted = absl::StrCat("of a ", ToString(part), " set");
  if (of_part.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": both ", NameOfFolder(of_part[0]), " and ", NameOfFolder(of_part[1]),
                     " may be the folder ", wanted, "; wanted one of them"));
  }
  if (of_part.empty() && !of_other_part.empty()) {
    return absl::NotFoundError(absl::StrCat(where, ": has no folder ", wanted, "; found ",
                                            NameOfFolder(of_other_part[0]),
                                            ", with folders in it"));
  }
  const std::string root = of_part.empty() ? where : of_part[0];
  absl::StatusOr<std::optional<ClassFolders>> classes = ReadClasses(root);
  if (!classes.ok() || !classes->has_value()) return classes;
  if (of_part.empty() && !take_undivided) {
    return absl::NotFoundError(absl::StrCat(
        where, ": has no folder ", wanted, "; its folders of pictures are not divided into parts"));
  }
  if (!of_part.empty()) NoteLeftOut(where, of_none, "only folders of parts are read", **classes);
  return classes;
}

absl::StatusOr<std::vector<LabelledPicture>> PicturesByTurns(const std::string& where,
                                                             const ClassFolders& folders,
                                                             const std::vector<std::string>& labels,
                                                             std::size_t limit) {
  std::vector<int> indices;
  std::vector<std::string> unknown;
  std::size_t most = 0;
  for (const ClassFolder& folder : folders.classes) {
    const auto label = std::find(labels.begin(), labels.end(), folder.name);
    if (label == labels.end()) unknown.push_back(folder.name);
    indices.push_back(static_cast<int>(label - labels.begin()));
    most = std::max(most, folder.pictures.size());
  }
  if (!unknown.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": has folders that are no class of the model: ", ListLabels(unknown),
                     "; wanted folders named as its classes: ", ListLabels(labels)));
  }
  std::vector<LabelledPicture> pictures;
  for (std::size_t turn = 0; turn < most; ++turn) {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      if (turn >= folders.classes[i].pictures.size()) continue;
      if (limit > 0 && pictures.size() == limit) return pictures;
      pictures.push_back({folders.classes[i].pictures[turn], indices[i]});
    }
  }
  return pictures;
}

}  // namespace hellocnn
