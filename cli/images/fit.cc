#include "cli/images/fit.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace hellocnn::cli {
namespace {

using client::kImagePixels;
using client::kImageSide;

// Resizes `lines` lines of `from` values to `to` values each, by area. Value i of line l lies at
// in[l * line_step + i * step]. The result is [lines, to], line by line. Two calls resize a
// picture: one for rows and one for columns.
std::vector<float> ResizeLines(const std::vector<float>& in, int lines, int line_step, int from,
                               int step, int to) {
  std::vector<float> out(std::size_t(lines) * to);
  const double ratio = static_cast<double>(from) / to;
  for (int o = 0; o < to; ++o) {
    const double begin = o * ratio;
    const double end = std::min<double>(from, (o + 1) * ratio);
    const int first = static_cast<int>(begin);
    const int last = std::min(from, static_cast<int>(std::ceil(end)));
    for (int line = 0; line < lines; ++line) {
      double sum = 0;
      for (int i = first; i < last; ++i) {
        const double covered = std::min<double>(end, i + 1) - std::max<double>(begin, i);
        sum += covered * in[std::size_t(line) * line_step + std::size_t(i) * step];
      }
      out[std::size_t(line) * to + o] = static_cast<float>(sum / (end - begin));
    }
  }
  return out;
}

std::vector<std::uint8_t> Resize(const Picture& picture, int width, int height) {
  const std::vector<float> source(picture.grey.begin(), picture.grey.end());
  const std::vector<float> narrow =
      ResizeLines(source, picture.height, picture.width, picture.width, 1, width);  // [rows, width]
  const std::vector<float> columns =
      ResizeLines(narrow, width, 1, picture.height, width, height);  // [width, height]
  std::vector<std::uint8_t> result(std::size_t(width) * height);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const float grey = std::clamp(std::round(columns[std::size_t(x) * height + y]), 0.0F, 255.0F);
      result[std::size_t(y) * width + x] = static_cast<std::uint8_t>(grey);
    }
  }
  return result;
}

}  // namespace

absl::StatusOr<std::vector<std::uint8_t>> FitGrey(const Picture& picture,
                                                  const client::Preprocessing& preprocessing) {
  const int content = preprocessing.content_size;
  const int padding = preprocessing.padding;
  // Each value is checked on its own first, because a sum of arbitrary numbers from the network
  // could overflow.
  if (content < 1 || content > kImageSide || padding < 0 || padding > kImageSide ||
      content + 2 * padding != kImageSide) {
    return absl::InvalidArgumentError(absl::StrCat("the model wants content of ", content, " with ",
                                                   padding, " around it, which does not make ",
                                                   kImageSide));
  }
  if (picture.width < 1 || picture.height < 1 ||
      picture.grey.size() != std::size_t(picture.width) * picture.height) {
    return absl::InvalidArgumentError("the picture is empty");
  }
  if (picture.width == kImageSide && picture.height == kImageSide) return picture.grey;
  const double scale = static_cast<double>(content) / std::max(picture.width, picture.height);
  const int width = std::clamp(static_cast<int>(std::lround(picture.width * scale)), 1, content);
  const int height = std::clamp(static_cast<int>(std::lround(picture.height * scale)), 1, content);
  const std::vector<std::uint8_t> scaled = width == picture.width && height == picture.height
                                               ? picture.grey
                                               : Resize(picture, width, height);
  std::vector<std::uint8_t> fitted(kImagePixels, 0);
  const int left = padding + (content - width) / 2;
  const int top = padding + (content - height) / 2;
  for (int y = 0; y < height; ++y) {
    std::copy_n(scaled.begin() + std::ptrdiff_t{y} * width, width,
                fitted.begin() + std::ptrdiff_t{top + y} * kImageSide + left);
  }
  return fitted;
}

absl::StatusOr<client::Image> ToImage(const Picture& picture,
                                      const client::Preprocessing& preprocessing) {
  if (!picture.normalised.empty()) return client::Image::Float32(picture.normalised);
  const absl::StatusOr<std::vector<std::uint8_t>> fitted = FitGrey(picture, preprocessing);
  if (!fitted.ok()) return fitted.status();
  return client::Image::Gray8(*fitted);
}

absl::StatusOr<std::vector<std::uint8_t>> ToPreview(const Picture& picture,
                                                    const client::Preprocessing& preprocessing) {
  if (picture.normalised.empty()) return FitGrey(picture, preprocessing);
  std::vector<std::uint8_t> greys;
  for (const float value : picture.normalised) {
    const float share = value * preprocessing.standard_deviation + preprocessing.mean;
    greys.push_back(static_cast<std::uint8_t>(std::lround(255 * std::clamp(share, 0.0F, 1.0F))));
  }
  return greys;
}

}  // namespace hellocnn::cli
