// Reads MNIST's IDX format (http://yann.lecun.com/exdb/mnist/): a big-endian header, then uint8
// values. Files may be gzipped.
#ifndef HELLOCNN_DATA_IDX_H_
#define HELLOCNN_DATA_IDX_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn {

// The contents of an IDX file of type uint8: extents such as [10000, 28, 28], and the values in
// row-major order.
struct IdxArray {
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> values;
};

// Reads `path`, which may be gzipped; the content tells. NOT_FOUND: there is no such file.
// INVALID_ARGUMENT: the magic is wrong, the type is not uint8, there are no dimensions or more than
// 4, or there are too few or too many bytes. The message names the file, the value found and the
// value wanted.
absl::StatusOr<IdxArray> ReadIdx(const std::string& path);

// Parses bytes in memory, which must not be gzipped, with the errors of ReadIdx. Messages use
// `name` as the name of the file.
absl::StatusOr<IdxArray> ParseIdx(const std::string& name, const std::string& bytes);

// Images and their labels. There is one label for each image, and it is the index of a class.
struct LabeledImages {
  int rows = 0;
  int columns = 0;
  std::vector<std::uint8_t> pixels;  // [count, rows, columns]
  std::vector<std::uint8_t> labels;  // [count]

  std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
};

// The classes of MNIST are the ten digits.
inline constexpr int kMnistClasses = 10;

// Reads `directory`/`prefix`-images-idx3-ubyte[.gz] and …-labels-idx1-ubyte[.gz], where `prefix` is
// "train" or "t10k". Returns the errors of ReadIdx. Also returns INVALID_ARGUMENT if a label is not
// in 0 to `classes` - 1, or if the two files do not belong together.
absl::StatusOr<LabeledImages> ReadMnist(const std::string& directory, const std::string& prefix,
                                        int classes = kMnistClasses);

}  // namespace hellocnn

#endif  // HELLOCNN_DATA_IDX_H_
