// The sliding maximum of a plane, with the positions of the maxima. Training needs them: the
// gradient of a maximum belongs to the pixel that it came from. LibTorch's own gradient of a
// maximum over a large window takes longer than the rest of the network.
#ifndef HELLOCNN_TORCH_SLIDING_MAX_H_
#define HELLOCNN_TORCH_SLIDING_MAX_H_

#include <cstdint>

namespace hellocnn {

// The sizes of a pool with stride 1. Requires 1 <= window <= height, width.
struct PoolShape {
  std::int64_t planes;  // images times channels
  std::int64_t height;  // of a plane of the input
  std::int64_t width;
  std::int64_t window;

  std::int64_t input_pixels() const { return height * width; }  // of one plane
  std::int64_t output_height() const { return height - window + 1; }
  std::int64_t output_width() const { return width - window + 1; }
  std::int64_t output_pixels() const { return output_height() * output_width(); }
};

// Computes the maximum of each window: `input` is [planes, height, width], `output` and `winners`
// are [planes, output height, output width]. A winner is the index of the maximum within its plane,
// y * width + x. Of equal values, the one in the lowest column wins, after one has won in each
// column: the one in the lowest row.
void SlidingMax(const PoolShape& shape, const float* input, float* output, std::int32_t* winners);

// Computes the gradient of the input, [planes, height, width]: the gradient of each maximum is
// added to its winner. `winners` are those of SlidingMax.
void SlidingMaxGradient(const PoolShape& shape, const float* output_gradient,
                        const std::int32_t* winners, float* input_gradient);

}  // namespace hellocnn

#endif  // HELLOCNN_TORCH_SLIDING_MAX_H_
