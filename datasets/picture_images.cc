#include "datasets/picture_images.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

using client::Finding;
using client::Fit;
using client::Picture;

constexpr std::size_t kMaxPictureBytes = std::size_t{256} << 20;
constexpr client::Preprocessing kMnistContent = {.content_size = 28, .padding = 2};

// One image of 32x32.
struct PaddedImage {
  std::vector<std::uint8_t> grey;
  bool has_border = true;  // else the outer pixels are of the picture
  bool is_prepared = false;
};

// Returns true for a grey, opaque picture of the size of images.
bool IsGreyImage(const Picture& picture) {
  const bool has_size = picture.width == kImageSide || picture.width == kMnistContent.content_size;
  if (!has_size || picture.height != picture.width || picture.scale != 1) return false;
  for (std::size_t i = 0; i < picture.rgba.size(); i += 4) {
    const std::uint16_t* pixel = &picture.rgba[i];
    if (pixel[0] != pixel[1] || pixel[0] != pixel[2] || pixel[3] != 0xFFFF) return false;
  }
  return true;
}

PaddedImage TakeAsIs(const Picture& picture, bool invert) {
  PaddedImage image{std::vector<std::uint8_t>(kImagePixels, 0), picture.width < kImageSide};
  const int border = (kImageSide - picture.width) / 2;
  for (int row = 0; row < picture.height; ++row) {
    for (int column = 0; column < picture.width; ++column) {
      const std::size_t from = 4 * (std::size_t(row) * picture.width + column);
      const int level = (picture.rgba[from] + 128) / 257;
      image.grey[std::size_t(row + border) * kImageSide + column + border] =
          static_cast<std::uint8_t>(invert ? 255 - level : level);
    }
  }
  return image;
}

absl::StatusOr<PaddedImage> PreparePicture(const std::string& path, const Picture& picture, Fit fit,
                                           bool invert) {
  absl::StatusOr<client::PreparedPicture> prepared =
      client::Prepare(picture, kMnistContent, {.fit = fit, .dark_ink = invert});
  if (!prepared.ok()) {
    return absl::Status(prepared.status().code(),
                        absl::StrCat(path, ": ", prepared.status().message()));
  }
  if (prepared->finding != Finding::kDigit) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", prepared->explanation,
                     "; wanted a picture of one digit: remove it, or use --fit as-is for all"));
  }
  const bool is_input =
      fit == Fit::kAsIs && picture.width == kImageSide && picture.height == kImageSide;
  return PaddedImage{std::move(prepared->grey), !is_input, true};
}

absl::StatusOr<PaddedImage> ReadPicture(const std::string& path, std::optional<Fit> fit,
                                        bool invert) {
  const absl::StatusOr<std::string> bytes = ReadFileStart(path, kMaxPictureBytes + 1);
  if (!bytes.ok()) return bytes.status();
  if (bytes->size() > kMaxPictureBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": has more than ", kMaxPictureBytes,
                                                   " bytes; wanted a picture of at most so many"));
  }
  const absl::StatusOr<Picture> picture = client::DecodePicture(path, *bytes);
  if (!picture.ok()) return picture.status();
  if (!fit.has_value() && IsGreyImage(*picture)) return TakeAsIs(*picture, invert);
  return PreparePicture(path, *picture, fit.value_or(Fit::kMnist), invert);
}

// Removes the border of 2 pixels from each image of 32x32.
void RemoveBorders(LabeledImages& set) {
  const int side = kMnistContent.content_size;
  const int border = kMnistContent.padding;
  auto to = set.pixels.begin();
  for (auto image = set.pixels.begin(); image != set.pixels.end(); image += kImagePixels) {
    for (int row = 0; row < side; ++row) {
      const auto from = image + std::ptrdiff_t{row + border} * kImageSide + border;
      to = std::copy(from, from + side, to);
    }
  }
  set.pixels.erase(to, set.pixels.end());
  set.rows = set.columns = side;
}

}  // namespace

absl::StatusOr<LabeledImages> ReadPictures(const std::vector<LabelledPicture>& pictures,
                                           std::optional<client::Fit> fit,
                                           const Presentation& mending,
                                           std::vector<std::string>& notes) {
  LabeledImages set{kImageSide, kImageSide, {}, {}};
  bool all_have_borders = true;
  std::size_t prepared = 0;
  for (const LabelledPicture& picture : pictures) {
    const absl::StatusOr<PaddedImage> image = ReadPicture(picture.path, fit, mending.invert);
    if (!image.ok()) return image.status();
    set.pixels.insert(set.pixels.end(), image->grey.begin(), image->grey.end());
    set.labels.push_back(picture.label);
    all_have_borders = all_have_borders && image->has_border;
    prepared += image->is_prepared ? 1 : 0;
  }
  if (all_have_borders) RemoveBorders(set);
  if (mending.transpose) Transpose(set);
  if (prepared > 0 && !fit.has_value()) {
    notes.push_back(absl::StrCat(
        prepared, " of ", pictures.size(), " pictures are not 28x28 or 32x32 in grey, and were ",
        "prepared as MNIST was made: what is drawn was found, scaled and centred; --fit as-is ",
        "scales whole pictures instead"));
  }
  return set;
}

}  // namespace hellocnn
