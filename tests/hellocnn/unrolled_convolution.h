// A convolution as a matrix product, as in question 4 of the assignment. The kernel is unrolled
// into a matrix with a row for each output and a column for each input. This is slow, but obviously
// correct and independent of every implementation.
#ifndef HELLOCNN_TESTS_UNROLLED_CONVOLUTION_H_
#define HELLOCNN_TESTS_UNROLLED_CONVOLUTION_H_

#include <span>
#include <vector>

#include "hellocnn/topology.h"

namespace hellocnn::testing {

// Returns the matrix [outputs * out_height * out_width, in.size()], row-major, of kernels
// [outputs, in.channels, window, window].
inline std::vector<double> UnrollKernels(std::span<const float> kernels, int outputs, int window,
                                         Shape in) {
  const Shape out{outputs, in.height - window + 1, in.width - window + 1};
  std::vector<double> matrix(static_cast<std::size_t>(out.size()) * in.size());
  std::size_t row = 0;
  for (int o = 0; o < out.channels; ++o) {
    for (int y = 0; y < out.height; ++y) {
      for (int x = 0; x < out.width; ++x, ++row) {
        for (int c = 0; c < in.channels; ++c) {
          for (int ky = 0; ky < window; ++ky) {
            for (int kx = 0; kx < window; ++kx) {
              const int column = (c * in.height + y + ky) * in.width + x + kx;
              matrix[row * in.size() + column] =
                  kernels[((o * in.channels + c) * window + ky) * window + kx];
            }
          }
        }
      }
    }
  }
  return matrix;
}

// Returns the product of `matrix` and `input`, computed in double precision.
inline std::vector<double> Multiply(const std::vector<double>& matrix,
                                    std::span<const float> input) {
  std::vector<double> product(matrix.size() / input.size());
  for (std::size_t row = 0; row < product.size(); ++row) {
    for (std::size_t i = 0; i < input.size(); ++i) {
      product[row] += matrix[row * input.size() + i] * input[i];
    }
  }
  return product;
}

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_UNROLLED_CONVOLUTION_H_
