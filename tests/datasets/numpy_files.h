// The files that make_numpy_files.py has written, and what they hold.
#ifndef HELLOCNN_TESTS_DATASETS_NUMPY_FILES_H_
#define HELLOCNN_TESTS_DATASETS_NUMPY_FILES_H_

#include <cstdint>
#include <string>
#include <vector>

namespace hellocnn {

inline std::string NumpyFile(const std::string& name) {
  return std::string(HELLOCNN_NUMPY_FILES) + "/" + name;
}

// The images [count, side, side] of make_numpy_files.py.
inline std::vector<std::uint8_t> NumpyPixels(int count, int side = 28) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < count; ++i) {
    for (int row = 0; row < side; ++row) {
      for (int column = 0; column < side; ++column) {
        pixels.push_back(static_cast<std::uint8_t>((7 * i + 3 * row + column) % 251));
      }
    }
  }
  return pixels;
}

}  // namespace hellocnn

#endif  // HELLOCNN_TESTS_DATASETS_NUMPY_FILES_H_
