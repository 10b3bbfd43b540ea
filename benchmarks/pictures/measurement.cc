#include "benchmarks/pictures/measurement.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "hellocnn/data/idx.h"
#include "hellocnn/formats/weight_file.h"
#include "hellocnn/model_card.h"
#include "hellocnn/simd/simd_engine.h"

namespace hellocnn {
namespace {

constexpr std::size_t kPixels = 28 * 28;

// Returns the most likely class, or -1 if the engine fails.
int Classify(Engine& engine, const std::vector<std::uint8_t>& grey) {
  const ImageView view{PixelFormat::kGray8, reinterpret_cast<const std::byte*>(grey.data())};
  std::vector<float> row(static_cast<std::size_t>(engine.classes()));
  absl::Status status;
  engine.Classify({&view, 1}, row, {&status, 1});
  if (!status.ok()) return -1;
  return static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin());
}

}  // namespace

absl::StatusOr<std::vector<PictureResult>> MeasurePictures(const PictureBenchmarkOptions& options,
                                                           const std::string& filter) {
  const absl::StatusOr<LabeledImages> set = ReadMnist(options.data, "t10k");
  if (!set.ok()) return set.status();
  if (options.first < 0 || options.digits < 1 || options.first >= set->count() ||
      options.digits > set->count() - options.first) {
    return absl::InvalidArgumentError(absl::StrCat(options.digits, " digits from index ",
                                                   options.first, " on are wanted; ", options.data,
                                                   " has ", set->count()));
  }
  const absl::StatusOr<ModelCard> card = LoadModelCard(options.model);
  if (!card.ok()) return card.status();
  const absl::StatusOr<Weights> weights =
      LoadWeightFile(absl::StrCat(options.model, "/", card->weights));
  if (!weights.ok()) return weights.status();
  const absl::StatusOr<EngineFactory> factory = SimdEngineFactory(*weights, card->normalization, 1);
  if (!factory.ok()) return factory.status();
  const absl::StatusOr<std::unique_ptr<Engine>> engine = (*factory)();
  if (!engine.ok()) return engine.status();

  const auto digit = [&](int at) {
    return Digit(&set->pixels[static_cast<std::size_t>(at) * kPixels], kPixels);
  };
  const client::Preprocessing preprocessing;
  std::vector<PictureResult> results;
  for (const PicturePresentation& presentation : PicturePresentations()) {
    if (presentation.name.find(filter) == std::string::npos) continue;
    std::mt19937 random(options.seed);
    PictureResult result{presentation.name, presentation.wanted, options.digits};
    for (int i = 0; i < options.digits; ++i) {
      const int at = options.first + i;
      const client::Picture picture =
          presentation.present(digit(at), digit((at + 1) % set->count()), random);
      const absl::StatusOr<client::PreparedPicture> prepared =
          client::Prepare(picture, preprocessing);
      if (!prepared.ok()) return prepared.status();
      if (prepared->finding == client::Finding::kNothing) ++result.nothing;
      if (prepared->finding == client::Finding::kSeveral) ++result.several;
      const bool is_right = presentation.several
                                ? prepared->finding == client::Finding::kSeveral
                                : prepared->finding == client::Finding::kDigit &&
                                      Classify(**engine, prepared->grey) == set->labels[at];
      if (is_right) ++result.right;
    }
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace hellocnn
