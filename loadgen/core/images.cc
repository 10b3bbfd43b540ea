#include "loadgen/core/images.h"

#include <algorithm>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hellocnn/data/idx.h"
#include "hellocnn/image.h"
#include "hellocnn/topology.h"

namespace hellocnn::load {
namespace {

using client::kImagePixels;
using client::kImageSide;

absl::StatusOr<client::Image> ToImage(const std::vector<std::uint8_t>& grey,
                                      const PixelOptions& options) {
  if (!options.float32) return client::Image::Gray8(grey);
  const Normalization normalise{options.preprocessing.mean,
                                options.preprocessing.standard_deviation};
  std::vector<float> values(grey.size());
  std::transform(grey.begin(), grey.end(), values.begin(), normalise);
  return client::Image::Float32(values);
}

}  // namespace

absl::StatusOr<Images> ReadImages(const std::string& directory, const Presentation& mending,
                                  const PixelOptions& options) {
  absl::StatusOr<LabeledImages> set = ReadMnist(directory, "t10k", kMaxClasses);
  if (!set.ok()) return set.status();
  if (set->count() == 0) return absl::InvalidArgumentError(directory + ": the test set is empty");
  Mend(mending, *set);
  if (set->rows > kImageSide || set->columns > kImageSide || set->rows % 2 != 0 ||
      set->columns % 2 != 0) {
    return absl::InvalidArgumentError(absl::StrCat(directory, ": images are ", set->rows, "x",
                                                   set->columns,
                                                   "; wanted are even numbers up to 32x32"));
  }
  const int top = (kImageSide - set->rows) / 2;
  const int left = (kImageSide - set->columns) / 2;
  Images out;
  out.images.reserve(set->labels.size());
  std::vector<std::uint8_t> grey(kImagePixels);  // the border stays black
  auto pixel = set->pixels.begin();
  for (std::int64_t i = 0; i < set->count(); ++i) {
    for (int row = 0; row < set->rows; ++row, pixel += set->columns) {
      std::copy_n(pixel, set->columns, grey.begin() + (top + row) * kImageSide + left);
    }
    absl::StatusOr<client::Image> image = ToImage(grey, options);
    if (!image.ok()) return image.status();
    out.images.push_back(*std::move(image));
  }
  out.labels.assign(set->labels.begin(), set->labels.end());
  return out;
}

Images GenerateImages(int count, std::uint64_t seed, const PixelOptions& options) {
  std::mt19937_64 random(seed);
  Images out;
  for (int i = 0; i < count; ++i) {
    std::vector<std::uint8_t> grey(kImagePixels);
    // Draws a few soft blots. Their grey levels and edges are like those of digits, but they have
    // no class.
    for (int blot = 0; blot < 4; ++blot) {
      const int centre_x = 4 + static_cast<int>(random() % 24);
      const int centre_y = 4 + static_cast<int>(random() % 24);
      const int radius = 2 + static_cast<int>(random() % 4);
      for (int y = centre_y - radius; y <= centre_y + radius; ++y) {
        for (int x = centre_x - radius; x <= centre_x + radius; ++x) {
          const int distance = (x - centre_x) * (x - centre_x) + (y - centre_y) * (y - centre_y);
          if (x < 0 || y < 0 || x >= kImageSide || y >= kImageSide || distance > radius * radius)
            continue;
          auto& level = grey[std::size_t(y) * kImageSide + x];
          level =
              std::max(level, static_cast<std::uint8_t>(255 - 160 * distance / (radius * radius)));
        }
      }
    }
    // Cannot fail: the size is always right, and a positive standard deviation keeps values finite.
    out.images.push_back(ToImage(grey, options).value());
  }
  return out;
}

}  // namespace hellocnn::load
