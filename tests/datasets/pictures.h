// Small pictures for tests, as files of PNM.
#ifndef HELLOCNN_TESTS_DATASETS_PICTURES_H_
#define HELLOCNN_TESTS_DATASETS_PICTURES_H_

#include <string>

namespace hellocnn {

// Returns a grey picture, all of one level but for the pixel at row 3, column 5, which is 200.
inline std::string GreyPicture(int side, char level = 0) {
  const std::string size = std::to_string(side);
  std::string pixels(static_cast<std::size_t>(side) * static_cast<std::size_t>(side), level);
  pixels[static_cast<std::size_t>(3 * side + 5)] = static_cast<char>(200);
  return "P5 " + size + " " + size + " 255\n" + pixels;
}

}  // namespace hellocnn

#endif  // HELLOCNN_TESTS_DATASETS_PICTURES_H_
