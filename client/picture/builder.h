// Builds a picture out of rows, and reduces it on the way. So it holds at most kMaxPictureSide
// columns and rows, however large the file's picture is.
#ifndef HELLOCNN_CLIENT_PICTURE_BUILDER_H_
#define HELLOCNN_CLIENT_PICTURE_BUILDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "hellocnn/client/picture.h"

namespace hellocnn::client::picture {

// The most columns and the most rows of a file's picture, unless its decoder reads fewer.
inline constexpr std::int64_t kMaxSide = 65'535;
// The most pixels of interlaced PNG and of WebP, which are decoded as a whole. Memory is the limit
// of progressive JPEG instead.
inline constexpr std::int64_t kMaxWholePixels = std::int64_t{1} << 25;

// Returns INVALID_ARGUMENT with the message "NAME: WHAT", as decoders report what is wrong with a
// file.
absl::Status Broken(const std::string& name, const std::string& what);

// Returns INVALID_ARGUMENT with the reason unless a picture of this size may be decoded: it has 1
// to `max_side` columns and rows, and at most `max_pixels` pixels.
absl::Status CheckSize(const std::string& name, std::int64_t width, std::int64_t height,
                       std::int64_t max_pixels, std::int64_t max_side = kMaxSide);

// Thread-compatible.
class PictureBuilder {
 public:
  // Takes `height` rows of `width` pixels, both at least 1 and at most kMaxSide. A decoder may have
  // reduced the file's picture already: `scale`, at least 1, is the number of rows of the file for
  // each row that will be added. `more_than_8_bits` is that of Picture.
  PictureBuilder(int width, int height, double scale, bool more_than_8_bits);

  // Adds the next row from the top: red, green, blue and alpha of each of its `width` pixels, 0 to
  // 65,535. The colours are not multiplied by alpha. At most `height` rows may be added.
  void AddRow(const std::uint16_t* rgba);

  // Returns the picture, turned as an EXIF orientation of 1 to 8 says. All `height` rows must have
  // been added.
  Picture Finish(int orientation) &&;

 private:
  void EndRow();

  const int width_;   // the number of pixels in each row that is added
  const int height_;  // the number of rows that will be added
  const int factor_;  // squares of this many columns and rows become one pixel
  int rows_ = 0;      // the number of rows that were added
  Picture picture_;
  // The sums for each pixel of the picture's row that is being filled: red, green and blue times
  // alpha, and alpha. Empty if nothing is reduced.
  std::vector<std::uint64_t> sums_;
};

}  // namespace hellocnn::client::picture

#endif  // HELLOCNN_CLIENT_PICTURE_BUILDER_H_
