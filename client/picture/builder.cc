#include "client/picture/builder.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"

namespace hellocnn::client::picture {

absl::Status Broken(const std::string& name, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(name, ": ", what));
}

absl::Status CheckSize(const std::string& name, std::int64_t width, std::int64_t height,
                       std::int64_t max_pixels, std::int64_t max_side) {
  if (width < 1 || height < 1) return Broken(name, "the picture has no pixels");
  if (width <= max_side && height <= max_side && width <= max_pixels / height)
    return absl::OkStatus();
  return Broken(
      name, absl::StrCat("the picture is ", width, "x", height, "; at most ", max_pixels,
                         " pixels and ", max_side, " rows or columns are read: reduce it first"));
}

PictureBuilder::PictureBuilder(int width, int height, double scale, bool more_than_8_bits)
    : width_(width),
      height_(height),
      factor_((std::max(width, height) + kMaxPictureSide - 1) / kMaxPictureSide) {
  picture_.width = (width + factor_ - 1) / factor_;
  picture_.height = (height + factor_ - 1) / factor_;
  picture_.scale = scale * factor_;
  picture_.more_than_8_bits = more_than_8_bits;
  picture_.rgba.reserve(std::size_t(picture_.width) * picture_.height * 4);
  if (factor_ > 1) sums_.assign(std::size_t(picture_.width) * 4, 0);
}

void PictureBuilder::AddRow(const std::uint16_t* rgba) {
  ++rows_;
  if (factor_ == 1) {
    picture_.rgba.insert(picture_.rgba.end(), rgba, rgba + std::size_t(width_) * 4);
    return;
  }
  for (int x = 0; x < width_; ++x) {
    std::uint64_t* sum = &sums_[std::size_t(x / factor_) * 4];
    const std::uint64_t alpha = rgba[4 * x + 3];
    for (int c = 0; c < 3; ++c) sum[c] += rgba[4 * x + c] * alpha;
    sum[3] += alpha;
  }
  if (rows_ % factor_ == 0 || rows_ == height_) EndRow();
}

void PictureBuilder::EndRow() {
  const int rows = (rows_ - 1) % factor_ + 1;
  for (int x = 0; x < picture_.width; ++x) {
    const std::uint64_t* sum = &sums_[std::size_t(x) * 4];
    const int columns = std::min(factor_, width_ - x * factor_);
    for (int c = 0; c < 3; ++c)
      picture_.rgba.push_back(sum[3] == 0 ? 0 : static_cast<std::uint16_t>(sum[c] / sum[3]));
    picture_.rgba.push_back(
        static_cast<std::uint16_t>(sum[3] / (static_cast<std::uint64_t>(rows) * columns)));
  }
  std::fill(sums_.begin(), sums_.end(), 0);
}

Picture PictureBuilder::Finish(int orientation) && {
  if (orientation <= 1 || orientation > 8) return std::move(picture_);
  // Orientations 5 to 8 exchange rows and columns.
  const bool transposed = orientation >= 5;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Picture turned = picture_;
  if (transposed) std::swap(turned.width, turned.height);
  for (int y = 0; y < turned.height; ++y) {
    for (int x = 0; x < turned.width; ++x) {
      int column = transposed ? y : x;
      int row = transposed ? x : y;
      if (from_right) column = picture_.width - 1 - column;
      if (from_bottom) row = picture_.height - 1 - row;
      std::copy_n(&picture_.rgba[(std::size_t(row) * picture_.width + column) * 4], 4,
                  &turned.rgba[(std::size_t(y) * turned.width + x) * 4]);
    }
  }
  return turned;
}

}  // namespace hellocnn::client::picture
