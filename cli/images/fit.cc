#include "cli/images/fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace hellocnn::cli {
namespace {

using client::Fit;
using client::Preprocessing;
using Greys = std::vector<std::uint8_t>;

constexpr int kRawSide = 28;

// Returns an opaque picture of grey levels.
client::Picture ToPicture(absl::Span<const std::uint8_t> grey, int width, int height) {
  client::Picture picture{width, height, {}};
  picture.rgba.reserve(grey.size() * 4);
  for (const std::uint8_t level : grey) {
    const auto value = static_cast<std::uint16_t>(level * 257);
    picture.rgba.insert(picture.rgba.end(), {value, value, value, 0xFFFF});
  }
  return picture;
}

absl::StatusOr<FittedImage> FitRawFloats(const SourceImage& source,
                                         const Preprocessing& preprocessing) {
  std::vector<float> values(client::kImagePixels);
  std::memcpy(values.data(), source.bytes.data(), source.bytes.size());
  absl::StatusOr<client::Image> image = client::Image::Float32(values);
  if (!image.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        source.file, ": 4,096 bytes are taken for raw floats, but ", image.status().message()));
  }
  FittedImage fitted;
  fitted.image = *std::move(image);
  for (const float value : values) {
    const float share = value * preprocessing.standard_deviation + preprocessing.mean;
    const float level = 255 * std::clamp(share, 0.0F, 1.0F);
    fitted.grey.push_back(static_cast<std::uint8_t>(std::lround(level)));
  }
  return fitted;
}

// Returns `status` with the name of the file before its message.
absl::Status OfFile(const SourceImage& source, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(source.file, ": ", status.message()));
}

// Prepares what has been decoded. `source` names the file in errors.
absl::StatusOr<FittedImage> Prepare(const SourceImage& source, const client::Picture& picture,
                                    const Preprocessing& preprocessing, Fit fit, bool invert) {
  absl::StatusOr<client::PreparedPicture> prepared =
      client::Prepare(picture, preprocessing, {.fit = fit, .dark_ink = invert});
  if (!prepared.ok()) return OfFile(source, prepared.status());
  FittedImage fitted{prepared->finding, std::move(prepared->explanation),
                     std::move(prepared->grey)};
  if (fitted.finding == client::Finding::kNothing) return fitted;
  absl::StatusOr<client::Image> image = client::Image::Gray8(fitted.grey);
  if (!image.ok()) return OfFile(source, image.status());
  fitted.image = *std::move(image);
  return fitted;
}

absl::StatusOr<FittedImage> FitGreyImage(const SourceImage& source, int width, int height,
                                         const Preprocessing& preprocessing,
                                         const FitOptions& options) {
  const Greys levels(source.bytes.begin(), source.bytes.end());
  if (FitOf(source, options) == Fit::kMnist) {
    return Prepare(source, ToPicture(levels, width, height), preprocessing, Fit::kMnist,
                   options.invert);
  }
  Greys inverted = levels;
  if (options.invert) {
    for (std::uint8_t& level : inverted) level = static_cast<std::uint8_t>(255 - level);
  }
  FittedImage fitted;
  absl::StatusOr<Greys> grey = FitGrey(inverted, width, height, preprocessing);
  if (!grey.ok()) return OfFile(source, grey.status());
  absl::StatusOr<client::Image> image = client::Image::Gray8(*grey);
  if (!image.ok()) return OfFile(source, image.status());
  fitted.grey = *std::move(grey);
  fitted.image = *std::move(image);
  return fitted;
}

}  // namespace

absl::StatusOr<Greys> FitGrey(absl::Span<const std::uint8_t> grey, int width, int height,
                              const Preprocessing& preprocessing) {
  const int padding = preprocessing.padding;
  // Images of data sets have the size of the content, and there are many.
  if (width == preprocessing.content_size && height == width && padding >= 0 &&
      width + 2 * padding == client::kImageSide &&
      grey.size() == std::size_t(width) * static_cast<std::size_t>(height)) {
    Greys padded(client::kImagePixels, 0);
    for (int y = 0; y < height; ++y) {
      std::copy_n(grey.begin() + std::ptrdiff_t{y} * width, width,
                  padded.begin() + std::ptrdiff_t{y + padding} * client::kImageSide + padding);
    }
    return padded;
  }
  absl::StatusOr<client::PreparedPicture> prepared =
      client::Prepare(ToPicture(grey, width, height), preprocessing, {.fit = Fit::kAsIs});
  if (!prepared.ok()) return prepared.status();
  return std::move(prepared->grey);
}

Fit FitOf(const SourceImage& source, const FitOptions& options) {
  const bool is_picture = source.width == 0 && !options.raw;
  return options.fit.value_or(is_picture ? Fit::kMnist : Fit::kAsIs);
}

absl::StatusOr<FittedImage> FitImage(const SourceImage& source, const Preprocessing& preprocessing,
                                     const FitOptions& options) {
  if (source.width > 0)
    return FitGreyImage(source, source.width, source.height, preprocessing, options);
  const std::size_t size = source.bytes.size();
  if (options.raw) {
    if (size == client::kImagePixels * sizeof(float)) {
      if (!options.invert) return FitRawFloats(source, preprocessing);
      return absl::InvalidArgumentError(absl::StrCat(
          source.file, ": raw floats are normalised already; --invert does not apply to them"));
    }
    const int side = size == kRawSide * kRawSide ? kRawSide : client::kImageSide;
    if (size == std::size_t(side) * static_cast<std::size_t>(side))
      return FitGreyImage(source, side, side, preprocessing, options);
    return absl::InvalidArgumentError(
        absl::StrCat(source.file, ": raw pixels have 784, 1,024 or 4,096 bytes, not ", size));
  }
  const absl::StatusOr<client::Picture> picture = client::DecodePicture(source.file, source.bytes);
  if (!picture.ok()) {
    const bool is_raw_size = size == kRawSide * kRawSide || size == client::kImagePixels ||
                             size == client::kImagePixels * sizeof(float);
    if (!is_raw_size || !absl::StrContains(picture.status().message(), "not a picture"))
      return picture.status();
    return absl::Status(
        picture.status().code(),
        absl::StrCat(picture.status().message(), ". If it holds raw pixels, say --raw"));
  }
  return Prepare(source, *picture, preprocessing, FitOf(source, options), options.invert);
}

bool LooksDarkOnLight(absl::Span<const std::uint8_t> grey, const Preprocessing& preprocessing) {
  const int first = preprocessing.padding;
  const int last = client::kImageSide - 1 - first;
  int sum = 0;
  int count = 0;
  for (int i = first; i <= last; ++i) {
    for (const auto& [x, y] : {std::pair{i, first}, {i, last}, {first, i}, {last, i}}) {
      sum += grey[std::size_t(y) * client::kImageSide + static_cast<std::size_t>(x)];
      ++count;
    }
  }
  return count > 0 && sum > 160 * count;
}

}  // namespace hellocnn::cli
