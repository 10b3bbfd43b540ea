#include "hellocnn/train/dataset.h"

#include <numbers>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hellocnn {
namespace {

constexpr int kDigitSide = 28;

torch::Tensor Uniform(std::int64_t count, double limit) {
  return (torch::rand({count}) * 2 - 1) * limit;
}

}  // namespace

absl::StatusOr<Dataset> MakeDataset(const std::string& where, LabeledImages set) {
  if (set.rows != set.columns || (set.rows != kDigitSide && set.rows != kImageSide)) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": images are ", set.rows, "x", set.columns, "; wanted ", kDigitSide,
                     "x", kDigitSide, " or ", kImageSide, "x", kImageSide));
  }
  const int border = (kImageSide - set.rows) / 2;
  Dataset dataset;
  dataset.content_size = set.rows;
  dataset.looks_inverted = LooksInverted(set);
  dataset.images = torch::constant_pad_nd(
      torch::from_blob(set.pixels.data(), {set.count(), 1, set.rows, set.columns}, torch::kUInt8),
      {border, border, border, border}, 0);
  // Without a border, the tensor may still be that of the pixels, which end here.
  if (border == 0) dataset.images = dataset.images.clone();
  dataset.labels =
      torch::from_blob(set.labels.data(), {set.count()}, torch::kInt32).to(torch::kInt64);
  return dataset;
}

Split SplitDataset(const Dataset& all, std::int64_t validation_size, std::uint64_t seed) {
  torch::manual_seed(seed);
  const torch::Tensor order = torch::randperm(all.size());
  const std::int64_t training_size = all.size() - validation_size;
  const auto take = [&](std::int64_t begin, std::int64_t count) {
    const torch::Tensor chosen = order.narrow(0, begin, count);
    return Dataset{all.images.index_select(0, chosen), all.labels.index_select(0, chosen),
                   all.content_size};
  };
  return {take(0, training_size), take(training_size, validation_size)};
}

torch::Tensor NormalizeBatch(const torch::Tensor& grey, const Normalization& normalization) {
  return (grey.to(torch::kFloat32) / 255.0F - normalization.mean) /
         normalization.standard_deviation;
}

torch::Tensor Distort(const torch::Tensor& grey, double strength) {
  if (strength == 0) return grey;
  const std::int64_t count = grey.size(0);
  const torch::Tensor angle = Uniform(count, strength * 10 * std::numbers::pi / 180);
  const torch::Tensor scale = 1 + Uniform(count, strength * 0.1);
  // The coordinates of affine_grid run from -1 to 1 along the side of the image.
  const double shift = strength * 2 * 2 / kImageSide;
  const torch::Tensor cosine = angle.cos() * scale;
  const torch::Tensor sine = angle.sin() * scale;
  const torch::Tensor affine =
      torch::stack({cosine, -sine, Uniform(count, shift), sine, cosine, Uniform(count, shift)}, 1)
          .view({count, 2, 3});
  namespace F = torch::nn::functional;
  return F::grid_sample(grey.to(torch::kFloat32), F::affine_grid(affine, grey.sizes(), false),
                        F::GridSampleFuncOptions().align_corners(false));
}

}  // namespace hellocnn
