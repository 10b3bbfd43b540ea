// Makes images and labels of NumPy's arrays.
#ifndef HELLOCNN_DATASETS_ARRAY_IMAGES_H_
#define HELLOCNN_DATASETS_ARRAY_IMAGES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "datasets/npy.h"

namespace hellocnn {

// Grey levels [count, side, side] with side 28 or 32.
struct GreyImages {
  int side = 0;
  std::vector<std::uint8_t> pixels;

  std::size_t count() const { return pixels.size() / (std::size_t(side) * side); }
};

// Returns the images of an array [N, 28, 28], [N, 1, 28, 28], [N, 28, 28, 1] or [N, 784], or the
// same of 32, in either order of memory. Integers are grey levels, 0 to 255. Floats are grey levels
// if they are whole numbers up to 255, and shares of 255, which are rounded, if none is above 1; a
// note says so. `name` is the name of the array, for messages. INVALID_ARGUMENT: the array has
// another type, shape or range, or more than 1,048,576 images.
absl::StatusOr<GreyImages> ImagesOfArray(const std::string& name, NpyArray array,
                                         std::vector<std::string>& notes);

// Returns the labels of an array [N] or [N, 1] of integers. INVALID_ARGUMENT: the array has another
// type or shape, or a label is no int.
absl::StatusOr<std::vector<int>> LabelsOfArray(const std::string& name, const NpyArray& array);

}  // namespace hellocnn

#endif  // HELLOCNN_DATASETS_ARRAY_IMAGES_H_
