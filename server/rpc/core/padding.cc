#include "server/rpc/core/padding.h"

#include <cstring>

#include "hellocnn/topology.h"

namespace hellocnn::server {

void Pad(const std::byte* content, PixelFormat format, const ModelCard& card, std::byte* image) {
  const bool floats = format == PixelFormat::kFloat32;
  const std::size_t value = floats ? sizeof(float) : 1;
  if (floats) {
    const float black = card.normalization(0);
    for (std::size_t p = 0; p < kImagePixels; ++p) {
      std::memcpy(image + p * value, &black, value);
    }
  } else {
    std::memset(image, 0, BytesPerImage(format));
  }
  const std::size_t side = static_cast<std::size_t>(card.content_size);
  const std::size_t padding = static_cast<std::size_t>(card.padding);
  for (std::size_t row = 0; row < side; ++row) {
    std::memcpy(image + ((row + padding) * kImageSide + padding) * value,
                content + row * side * value, side * value);
  }
}

}  // namespace hellocnn::server
