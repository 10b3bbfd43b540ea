#include "datasets/labelled_images.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "datasets/array_files.h"
#include "datasets/array_images.h"
#include "datasets/class_folders.h"
#include "datasets/class_labels.h"
#include "datasets/emnist_mapping.h"
#include "datasets/picture_images.h"
#include "hellocnn/data/dataset_files.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

constexpr char kOtherKinds[] =
    "; also read are arrays of NumPy, such as x_test and y_test in .npy files or one .npz file, "
    "and "
    "a folder with a folder of pictures for each class";

constexpr std::int64_t kMaxImages = std::int64_t{1} << 20;
constexpr int kMaxSide = 1024;

// What `where` has of the part that is wanted.
using Found = std::variant<DatasetFiles, ArrayFiles, ClassFolders>;

absl::StatusOr<Found> Find(const std::string& where, const LoadOptions& options) {
  std::error_code ignored;
  const bool is_archive =
      absl::EndsWithIgnoreCase(where, ".npz") && std::filesystem::exists(where, ignored);
  absl::Status idx_status;
  if (!is_archive) {
    absl::StatusOr<DatasetFiles> files =
        FindDatasetFiles(where, options.part == DataPart::kTest ? "t10k" : "train");
    if (files.ok()) return *std::move(files);
    if (!absl::IsNotFound(files.status())) return files.status();
    idx_status = files.status();
  }
  absl::StatusOr<std::optional<ArrayFiles>> arrays =
      FindArrays(where, options.part, options.take_undivided);
  if (!arrays.ok()) return arrays.status();
  if (arrays->has_value()) return **std::move(arrays);
  absl::StatusOr<std::optional<ClassFolders>> folders =
      FindClassFolders(where, options.part, options.take_undivided);
  if (!folders.ok()) return folders.status();
  if (folders->has_value()) return **std::move(folders);
  if (is_archive) {
    return absl::NotFoundError(
        absl::StrCat(where,
                     ": has no array that is named as images or labels; wanted such as x_test and "
                     "y_test, or images and labels"));
  }
  return absl::NotFoundError(absl::StrCat(idx_status.message(), kOtherKinds));
}

// Makes labels, counted from the first, the indices of classes. `name` is where they come from.
absl::Status CountFromZero(const std::string& name, const LoadOptions& options,
                           const std::optional<EmnistMapping>& mapping, LoadedImages& loaded) {
  std::vector<int>& labels = loaded.images.labels;
  const int first = options.first_label.value_or(mapping.has_value() ? mapping->first_label : 0);
  const bool has_names = !loaded.class_labels.empty();
  const int classes = has_names ? static_cast<int>(loaded.class_labels.size()) : kMaxClasses;
  if (absl::Status status = CheckLabels(name, labels, first, classes); !status.ok()) {
    const auto [least, most] = std::minmax_element(labels.begin(), labels.end());
    const bool from_one = first == 0 && *least == 1 && *most == classes;
    if (!from_one || options.first_label.has_value()) return status;
    return absl::InvalidArgumentError(
        absl::StrCat(status.message(), "; the labels begin at 1, as those of EMNIST's letters do: ",
                     "--first-label 1 takes 1 as class 0"));
  }
  for (int& label : labels) label -= first;
  return absl::OkStatus();
}

void KeepFirst(std::int64_t limit, LabeledImages& set) {
  if (limit <= 0 || limit >= set.count()) return;
  set.labels.resize(static_cast<std::size_t>(limit));
  set.pixels.resize(set.labels.size() * static_cast<std::size_t>(set.rows) * set.columns);
}

absl::Status Load(const std::string&, const DatasetFiles& files, const LoadOptions& options,
                  LoadedImages& loaded) {
  absl::StatusOr<LabeledImages> set = ReadImagesAndLabels(files);
  if (!set.ok()) return set.status();
  if (set->count() > kMaxImages || set->rows > kMaxSide || set->columns > kMaxSide) {
    return absl::InvalidArgumentError(absl::StrCat(
        files.images, ": has ", set->count(), " images of ", set->rows, "x", set->columns,
        "; wanted at most ", kMaxImages, ", of at most ", kMaxSide, "x", kMaxSide));
  }
  const auto mapping = ReadEmnistMapping(files.images);
  if (!mapping.ok()) return mapping.status();
  loaded.images = *std::move(set);
  loaded.files = {files.images, files.labels};
  loaded.may_be_transposed = IsNamedAsEmnist(files.images) && !options.mending.transpose;
  if (mapping->has_value()) loaded.files.push_back((*mapping)->path);
  if (mapping->has_value() && loaded.class_labels.empty()) {
    loaded.class_labels = (*mapping)->class_labels;
  } else if (mapping->has_value() && loaded.class_labels != (*mapping)->class_labels) {
    loaded.notes.push_back(absl::StrCat(
        (*mapping)->path, ": names other classes than the model, whose labels are taken in order"));
  }
  return CountFromZero(files.labels, options, *mapping, loaded);
}

absl::Status Load(const std::string&, const ArrayFiles& files, const LoadOptions& options,
                  LoadedImages& loaded) {
  const absl::StatusOr<NpyArray> labels_array = ReadArray(files.labels);
  if (!labels_array.ok()) return labels_array.status();
  absl::StatusOr<std::vector<int>> labels = LabelsOfArray(files.labels.name(), *labels_array);
  if (!labels.ok()) return labels.status();
  absl::StatusOr<NpyArray> images_array = ReadArray(files.images);
  if (!images_array.ok()) return images_array.status();
  absl::StatusOr<GreyImages> images =
      ImagesOfArray(files.images.name(), *std::move(images_array), loaded.notes);
  if (!images.ok()) return images.status();
  if (labels->size() != images->count()) {
    return absl::InvalidArgumentError(
        absl::StrCat(files.labels.name(), ": has ", labels->size(), " labels; wanted ",
                     images->count(), ", one for each image of ", files.images.name()));
  }
  loaded.images = {images->side, images->side, std::move(images->pixels), *std::move(labels)};
  loaded.files = {files.images.path};
  if (files.labels.path != files.images.path) loaded.files.push_back(files.labels.path);
  return CountFromZero(files.labels.name(), options, std::nullopt, loaded);
}

absl::Status Load(const std::string& where, const ClassFolders& folders, const LoadOptions& options,
                  LoadedImages& loaded) {
  if (loaded.class_labels.empty()) {
    for (const ClassFolder& folder : folders.classes) loaded.class_labels.push_back(folder.name);
    if (absl::Status status = CheckClassLabels(where, loaded.class_labels); !status.ok()) {
      return status;
    }
  }
  const auto pictures =
      PicturesByTurns(where, folders, loaded.class_labels, static_cast<std::size_t>(options.limit));
  if (!pictures.ok()) return pictures.status();
  loaded.notes = folders.notes;
  absl::StatusOr<LabeledImages> set =
      ReadPictures(*pictures, options.fit, options.mending, loaded.notes);
  if (!set.ok()) return set.status();
  loaded.images = *std::move(set);
  return absl::OkStatus();
}

}  // namespace

absl::Status FindLabelledImages(const std::string& where, const LoadOptions& options) {
  return Find(where, options).status();
}

absl::StatusOr<LoadedImages> LoadLabelledImages(const std::string& where,
                                                const LoadOptions& options) {
  const absl::StatusOr<Found> found = Find(where, options);
  if (!found.ok()) return found.status();
  LoadedImages loaded;
  loaded.class_labels = options.class_labels;
  if (options.take_undivided) {
    LoadOptions divided = options;
    divided.take_undivided = false;
    loaded.is_undivided = !Find(where, divided).ok();
  }
  const auto load = [&](const auto& files) { return Load(where, files, options, loaded); };
  if (absl::Status status = std::visit(load, *found); !status.ok()) return status;
  if (loaded.images.count() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": the ", ToString(options.part), " set is empty; wanted images"));
  }
  KeepFirst(options.limit, loaded.images);
  // Pictures were mended while their colours were known.
  if (!std::holds_alternative<ClassFolders>(*found)) Mend(options.mending, loaded.images);
  return loaded;
}

}  // namespace hellocnn
