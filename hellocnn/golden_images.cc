#include "hellocnn/golden_images.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/shown.h"
#include "hellocnn/data/idx.h"
#include "hellocnn/image.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

template <typename Row>
std::size_t Best(const Row& row) {
  return static_cast<std::size_t>(
      std::distance(row.begin(), std::max_element(row.begin(), row.end())));
}

}  // namespace

absl::StatusOr<std::vector<std::uint8_t>> LoadGoldenImages(const std::string& directory,
                                                           const ModelCard& card) {
  const std::string path = absl::StrCat(directory, "/", card.golden->images);
  absl::StatusOr<IdxArray> images = ReadIdx(path, kMaxGoldenImages * kImagePixels);
  if (!images.ok()) return images.status();
  const std::vector<std::int64_t> wanted = {
      static_cast<std::int64_t>(card.golden->log_probabilities.size()), kImageSide, kImageSide};
  if (images->is_int32 || images->shape != wanted) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": has the shape [", absl::StrJoin(images->shape, ", "), "] of ",
        images->is_int32 ? "int32" : "uint8", "; wanted [", absl::StrJoin(wanted, ", "),
        "] of uint8, an image for each row of golden.log_probabilities in the model card"));
  }
  return std::move(images->values);
}

absl::Status CheckGoldenImage(const ModelCard& card, const std::vector<std::uint8_t>& pixels,
                              std::size_t index, Engine& engine) {
  const std::vector<double>& wanted = card.golden->log_probabilities[index];
  std::vector<float> found(wanted.size());
  absl::Status status;
  const auto* const image = reinterpret_cast<const std::byte*>(&pixels[index * kImagePixels]);
  const ImageView view{PixelFormat::kGray8, image};
  engine.Classify({&view, 1}, found, {&status, 1});
  if (!status.ok()) return status;
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    const double most = kGoldenAbsolute + kGoldenRelative * std::abs(wanted[k]);
    if (std::abs(found[k] - wanted[k]) <= most) continue;  // false for NaN
    return absl::FailedPreconditionError(absl::StrCat(
        "golden image ", index, ": class ", Shown(card.class_labels[Best(found)]),
        ", and log-probability ", found[k], " of class ", Shown(card.class_labels[k]),
        "; the model card has class ", Shown(card.class_labels[Best(wanted)]), " and ", wanted[k],
        ", within ", most, ". The weights, the preprocessing or the labels are others than when ",
        "the card was written"));
  }
  return absl::OkStatus();
}

}  // namespace hellocnn
