#include "hellocnn/train/dataset.h"

#include <numbers>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "hellocnn/data/idx.h"

namespace hellocnn {
namespace {

constexpr int kDigitSide = 28;
constexpr int kBorder = (kImageSide - kDigitSide) / 2;

torch::Tensor Uniform(std::int64_t count, double limit) {
  return (torch::rand({count}) * 2 - 1) * limit;
}

}  // namespace

absl::StatusOr<Dataset> LoadDataset(const std::string& directory, const std::string& prefix,
                                    int classes, const Presentation& mending) {
  absl::StatusOr<LabeledImages> read = ReadMnist(directory, prefix, classes);
  if (!read.ok()) return read.status();
  if (read->rows != kDigitSide || read->columns != kDigitSide) {
    return absl::InvalidArgumentError(absl::StrCat(directory, ": ", prefix, " images are ",
                                                   read->rows, "x", read->columns, "; wanted ",
                                                   kDigitSide, "x", kDigitSide));
  }
  Mend(mending, *read);
  Dataset dataset;
  dataset.looks_inverted = LooksInverted(*read);
  dataset.images = torch::constant_pad_nd(
      torch::from_blob(read->pixels.data(), {read->count(), 1, kDigitSide, kDigitSide},
                       torch::kUInt8),
      {kBorder, kBorder, kBorder, kBorder}, 0);
  dataset.labels =
      torch::from_blob(read->labels.data(), {read->count()}, torch::kInt32).to(torch::kInt64);
  return dataset;
}

Split SplitDataset(const Dataset& all, std::int64_t validation_size, std::uint64_t seed) {
  torch::manual_seed(seed);
  const torch::Tensor order = torch::randperm(all.size());
  const std::int64_t training_size = all.size() - validation_size;
  const auto take = [&](std::int64_t begin, std::int64_t count) {
    const torch::Tensor chosen = order.narrow(0, begin, count);
    return Dataset{all.images.index_select(0, chosen), all.labels.index_select(0, chosen)};
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
