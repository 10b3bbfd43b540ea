#include "server/serving/grey_levels.h"

#include <algorithm>
#include <cmath>

#include "hellocnn/simd/pixel_moments.h"

namespace hellocnn::server {

GreyLevels MeasureGreyLevels(const ImageView& image, const Normalization& normalization) {
  const simd::PixelMoments pixels = simd::MeasurePixels(image);
  // From a pixel to its grey level.
  double scale = 1.0 / 255;
  double offset = 0;
  if (image.format == PixelFormat::kFloat32) {
    scale = static_cast<double>(normalization.standard_deviation);
    offset = static_cast<double>(normalization.mean);
  }
  // Rounding can leave a variance just below 0.
  const double variance = std::max(pixels.mean_of_squares - pixels.mean * pixels.mean, 0.0);
  return {std::clamp(pixels.mean * scale + offset, 0.0, 1.0),
          std::clamp(std::sqrt(variance) * scale, 0.0, 1.0)};
}

}  // namespace hellocnn::server
