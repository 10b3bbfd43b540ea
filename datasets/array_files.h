// Finds the arrays of NumPy that are the images and labels of a data set, by their names.
#ifndef HELLOCNN_DATASETS_ARRAY_FILES_H_
#define HELLOCNN_DATASETS_ARRAY_FILES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "datasets/data_part.h"
#include "datasets/npy.h"

namespace hellocnn {

// An array: a .npy file, or a record of a .npz file.
struct ArraySource {
  std::string path;
  std::string record;  // "x_test.npy"; empty for a .npy file

  // Returns "data/mnist.npz, x_test", for messages.
  std::string name() const;
};

struct ArrayFiles {
  ArraySource images;
  ArraySource labels;
};

// Finds the images and labels of `part` in `where`: a .npz file, a folder with .npy and .npz files,
// or the beginning of the names of some of them in a folder, "data/kmnist". Names may be as
//   x_test, y_test          in Keras' mnist.npz
//   test_images, test_labels   in MedMNIST's files
//   kmnist-test-imgs.npz, kmnist-test-labels.npz, each with one array arr_0
//   images, labels, or arr_0, arr_1     of data that is not divided into parts
// and the like, in upper or lower case. Data that is not divided is every part, unless
// `take_undivided` is false.
//
// Returns nullopt if there is no array of a data set. NOT_FOUND: there are arrays, but not of this
// part; the message lists them. INVALID_ARGUMENT: a .npz file is damaged, there are several sets,
// two arrays have the same role, or the folder has more than 1,000 files of arrays. Thread-safe.
// Blocks on the disk.
absl::StatusOr<std::optional<ArrayFiles>> FindArrays(const std::string& where, DataPart part,
                                                     bool take_undivided);

// Reads an array. Returns the errors of ReadNpy and NpzFile. Blocks on the disk.
absl::StatusOr<NpyArray> ReadArray(const ArraySource& source);

}  // namespace hellocnn

#endif  // HELLOCNN_DATASETS_ARRAY_FILES_H_
