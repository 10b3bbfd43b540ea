// How many digits are right in a presentation.
#ifndef HELLOCNN_BENCHMARKS_PICTURES_MEASUREMENT_H_
#define HELLOCNN_BENCHMARKS_PICTURES_MEASUREMENT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "benchmarks/pictures/presentations.h"

namespace hellocnn {

struct PictureBenchmarkOptions {
  std::string model = "models/mnist/1";  // a folder with a model card and weights
  std::string data = "data/mnist-test";  // a folder with MNIST's test digits
  int first = 0;                         // index of the first digit, >= 0
  int digits = 300;                      // how many, from there on; >= 1
  unsigned seed = 1;                     // of the presentations
};

struct PictureResult {
  std::string presentation;
  double wanted = 0;  // share that tests demand
  int digits = 0;
  int right = 0;    // one digit was found, and the network named it; or two, where there are two
  int nothing = 0;  // "there is nothing to see"
  int several = 0;  // "more than one digit?"

  double share() const { return digits > 0 ? static_cast<double>(right) / digits : 0; }
};

// Presents the same digits in every way whose name contains `filter`, prepares the pictures and
// classifies them with the SIMD engine. Blocks for some milliseconds for each picture. Returns the
// errors of reading the model and the data. INVALID_ARGUMENT: there are fewer digits, or `first` or
// `digits` is out of range.
absl::StatusOr<std::vector<PictureResult>> MeasurePictures(const PictureBenchmarkOptions& options,
                                                           const std::string& filter = "");

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_PICTURES_MEASUREMENT_H_
