#include "cli/models/labelled_data.h"

#include <CLI/CLI.hpp>
#include <array>
#include <cmath>
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "cli/commands/load_images_options.h"
#include "cli/commands/model_commands.h"
#include "cli/images/fit.h"
#include "hellocnn/topology.h"

namespace hellocnn::cli {

void AddDataOptions(CLI::App& command, DataOptions& options) {
  CLI::Option* const data =
      command.add_option("--data", options.where,
                         "labelled images: IDX files, NumPy's arrays, or a folder of pictures for "
                         "each class");
  data->check(CLI::Validator(CheckNotEmpty, "", "data"))->type_name("WHERE");
  command
      .add_option_function<std::string>(
          "--part",
          [&options](const std::string& part) {
            options.load.part = PartOfName(part).value();
            options.part_is_given = true;
          },
          "the test set or the training set of --data")
      ->check(CLI::IsMember({"test", "t10k", "train"}))
      ->type_name("PART")
      ->needs(data)
      ->default_str("test");
  AddLoadImagesOptions(command, options.load);
  for (const char* name : {"--first-label", "--fit", "--invert", "--transpose"}) {
    command.get_option(name)->needs(data);
  }
}

absl::StatusOr<LoadedImages> LoadLabelledData(const DataOptions& options,
                                              const std::vector<std::string>& class_labels,
                                              int classes) {
  LoadOptions load = options.load;
  load.class_labels = class_labels;
  absl::StatusOr<LoadedImages> loaded = LoadLabelledImages(options.where, load);
  if (!loaded.ok()) return loaded.status();
  for (const int label : loaded->images.labels) {
    if (label < classes) continue;
    return absl::InvalidArgumentError(absl::StrCat(options.where, ": an image has the class ",
                                                   label, "; wanted 0 to ", classes - 1,
                                                   ", the classes of the weights"));
  }
  return loaded;
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
