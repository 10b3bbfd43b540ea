#include "hellocnn/image.h"

#include <cstring>

namespace hellocnn {

void NormalizeImage(const ImageView& image, const Normalization& normalization, float* out) {
  if (image.format == PixelFormat::kFloat32) {
    std::memcpy(out, image.pixels, BytesPerImage(PixelFormat::kFloat32));
    return;
  }
  for (int i = 0; i < kImagePixels; ++i) {
    out[i] = normalization(static_cast<unsigned char>(image.pixels[i]));
  }
}

}  // namespace hellocnn
