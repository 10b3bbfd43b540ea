// Finds the files of MNIST, and of data sets in its format, by the names that people give them.
#ifndef HELLOCNN_DATA_DATASET_FILES_H_
#define HELLOCNN_DATA_DATASET_FILES_H_

#include <string>

#include "absl/status/statusor.h"

namespace hellocnn {

// The paths of one part of a data set.
struct DatasetFiles {
  std::string images;
  std::string labels;
};

// Finds the images and labels of `part`, "train" or "t10k", which other data sets call "test".
// Looks in the folder `where`, and then up to three folders deeper, as in MNIST/raw/, which
// torchvision writes; the least deep that has them wins. Of two files that differ only by ".gz" the
// plain one is taken. The names are those of
//   MNIST, FashionMNIST, KMNIST  t10k-images-idx3-ubyte, t10k-images.idx3-ubyte
//   EMNIST                       emnist-digits-test-images-idx3-ubyte
//   QMNIST                       qmnist-test-images-idx3-ubyte, qmnist-test-labels-idx2-int
// and the like, in upper or lower case. If a folder has several sets, `where` may end in the name
// of one: "data/emnist-digits" for the folder "data".
//
// NOT_FOUND: there are no such files; the message lists what is there. INVALID_ARGUMENT: there are
// several sets; the message lists how to name each. Thread-safe. Blocks on the disk.
absl::StatusOr<DatasetFiles> FindDatasetFiles(const std::string& where, const std::string& part);

}  // namespace hellocnn

#endif  // HELLOCNN_DATA_DATASET_FILES_H_
