// Presents digits of MNIST's test set as people do: shifted, on paper, photographed.
#ifndef HELLOCNN_BENCHMARKS_PICTURES_PRESENTATIONS_H_
#define HELLOCNN_BENCHMARKS_PICTURES_PRESENTATIONS_H_

#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "hellocnn/client/picture.h"

namespace hellocnn {

// 28x28 grey levels, light on dark.
using Digit = std::span<const std::uint8_t>;

struct PicturePresentation {
  std::string name;
  // Least share of right results, 0 to 1, that is wanted.
  double wanted;
  // Draws the first digit, and the second one, too, if `several` is true.
  std::function<client::Picture(Digit, Digit, std::mt19937&)> present;
  // True: the picture shows two digits, so that "more than one digit?" is the right answer.
  bool several = false;
};

// Returns all presentations. The same digits and the same state of the generator give the same
// picture, with any standard library.
std::vector<PicturePresentation> PicturePresentations();

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_PICTURES_PRESENTATIONS_H_
