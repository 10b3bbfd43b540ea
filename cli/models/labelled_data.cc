#include "cli/models/labelled_data.h"

#include <CLI/CLI.hpp>
#include <array>
#include <cmath>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "cli/commands/mending.h"
#include "cli/images/fit.h"
#include "hellocnn/data/dataset_files.h"
#include "hellocnn/topology.h"

namespace hellocnn::cli {

void AddDataOptions(CLI::App& command, DataOptions& options) {
  CLI::Option* const data = command.add_option("--data", options.where,
                                               "labelled images: a folder with IDX files, or the "
                                               "name of a set in one");
  data->type_name("DIR");
  command.add_option("--part", options.part, "the test set or the training set of --data")
      ->check(CLI::IsMember({"t10k", "train"}))
      ->type_name("PART")
      ->needs(data)
      ->capture_default_str();
  AddMendingOptions(command, options.mending);
  for (const char* name : {"--invert", "--transpose"}) command.get_option(name)->needs(data);
}

absl::StatusOr<LabelledData> LoadLabelledData(const DataOptions& options, int classes) {
  const absl::StatusOr<DatasetFiles> files = FindDatasetFiles(options.where, options.part);
  if (!files.ok()) return files.status();
  absl::StatusOr<LabeledImages> set = ReadMnist(options.where, options.part, classes);
  if (!set.ok()) return set.status();
  if (set->count() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(options.where, ": there are no images in it"));
  }
  Mend(options.mending, *set);
  return LabelledData{*std::move(set), {files->images, files->labels}};
}

absl::StatusOr<std::vector<std::uint8_t>> FitToCard(const LabeledImages& set,
                                                    const ModelCard& card) {
  const client::Preprocessing preprocessing{card.content_size, card.padding,
                                            card.normalization.mean,
                                            card.normalization.standard_deviation};
  const std::size_t pixels = static_cast<std::size_t>(set.rows) * set.columns;
  std::vector<std::uint8_t> all;
  all.reserve(set.labels.size() * kImagePixels);
  for (std::size_t i = 0; i < set.labels.size(); ++i) {
    const auto image = absl::MakeConstSpan(set.pixels).subspan(i * pixels, pixels);
    const absl::StatusOr<std::vector<std::uint8_t>> grey =
        FitGrey(image, set.columns, set.rows, preprocessing);
    if (!grey.ok()) return grey.status();
    all.insert(all.end(), grey->begin(), grey->end());
  }
  return all;
}

absl::StatusOr<Normalization> MeasureNormalization(const std::vector<std::uint8_t>& grey,
                                                   int padding) {
  // The sums of whole numbers are exact, whatever the order.
  std::array<std::int64_t, 256> histogram{};
  for (std::size_t i = 0; i < grey.size(); ++i) {
    const int row = static_cast<int>(i / kImageSide % kImageSide);
    const int column = static_cast<int>(i % kImageSide);
    const bool inside = row >= padding && row < kImageSide - padding && column >= padding &&
                        column < kImageSide - padding;
    if (inside) ++histogram[grey[i]];
  }
  double count = 0;
  double sum = 0;
  double squares = 0;
  for (int level = 0; level < 256; ++level) {
    const auto pixels = static_cast<double>(histogram[static_cast<std::size_t>(level)]);
    count += pixels;
    sum += pixels * level;
    squares += pixels * level * level;
  }
  const double mean = sum / count;
  const double variance = squares / count - mean * mean;
  // Grey levels differ by 1 at least, so any variance of different ones is far above this.
  if (!(variance > 1e-9)) {
    return absl::InvalidArgumentError(
        "all pixels of the images are the same, so their standard deviation is 0; wanted images "
        "with something in them, or --mean and --standard-deviation");
  }
  return Normalization{static_cast<float>(mean / 255),
                       static_cast<float>(std::sqrt(variance) / 255)};
}

}  // namespace hellocnn::cli
