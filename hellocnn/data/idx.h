// MNIST's IDX format (http://yann.lecun.com/exdb/mnist/): big-endian header, then uint8 values.
// Files may be gzipped.
#ifndef HELLOCNN_DATA_IDX_H_
#define HELLOCNN_DATA_IDX_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn {

// Contents of an IDX file of type uint8: extents such as [10000, 28, 28], values row-major.
struct IdxArray {
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> values;
};

// Reads `path`, gzipped or not (told apart by content). NOT_FOUND: no such file. INVALID_ARGUMENT
// names the file, what was found and what was wanted: wrong magic, a type other than uint8, no or
// more than 4 dimensions, too few or too many bytes.
absl::StatusOr<IdxArray> ReadIdx(const std::string& path);

// As ReadIdx, of bytes in memory that are not gzipped. `name` stands for the file in messages.
absl::StatusOr<IdxArray> ParseIdx(const std::string& name, const std::string& bytes);

// Images and their labels: as many of the one as of the other, each label the index of a class.
struct LabeledImages {
  int rows = 0;
  int columns = 0;
  std::vector<std::uint8_t> pixels;  // [count, rows, columns]
  std::vector<std::uint8_t> labels;  // [count]

  std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
};

// MNIST has the ten digits.
inline constexpr int kMnistClasses = 10;

// Reads `directory`/`prefix`-images-idx3-ubyte[.gz] and …-labels-idx1-ubyte[.gz]; `prefix` is
// "train" or "t10k". Each label must be 0 to `classes` - 1. Errors as ReadIdx; INVALID_ARGUMENT too
// if a label is not, or if the two files do not belong together.
absl::StatusOr<LabeledImages> ReadMnist(const std::string& directory, const std::string& prefix,
                                        int classes = kMnistClasses);

}  // namespace hellocnn

#endif  // HELLOCNN_DATA_IDX_H_
