// The input of an engine: images, and how they are normalised.
#ifndef HELLOCNN_IMAGE_H_
#define HELLOCNN_IMAGE_H_

#include <cstddef>

#include "hellocnn/topology.h"

namespace hellocnn {

// How the pixels of an image are stored.
enum class PixelFormat {
  kGray8,    // uint8 grey levels, 0 to 255, which the engine normalises
  kFloat32,  // IEEE 754 binary32, native byte order, already normalised
};

// Returns the size in bytes of the pixels of one image.
constexpr std::size_t BytesPerImage(PixelFormat format) {
  return kImagePixels * (format == PixelFormat::kGray8 ? 1 : sizeof(float));
}

// A view of one image, [1, 32, 32], in row-major order. It does not own the pixels, which need no
// alignment.
struct ImageView {
  PixelFormat format;
  const std::byte* pixels;  // BytesPerImage(format) bytes
};

// Maps a grey level to the network's input: (grey / 255 - mean) / standard_deviation.
struct Normalization {
  float mean = 0.1307F;
  float standard_deviation = 0.3081F;

  float operator()(unsigned char grey) const {
    return (static_cast<float>(grey) / 255.0F - mean) / standard_deviation;
  }
};

// Writes the network's input for `image`, [1, 32, 32], to `out[0..1023]`.
void NormalizeImage(const ImageView& image, const Normalization& normalization, float* out);

}  // namespace hellocnn

#endif  // HELLOCNN_IMAGE_H_
