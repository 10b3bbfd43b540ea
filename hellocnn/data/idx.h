// Reads MNIST's IDX format (http://yann.lecun.com/exdb/mnist/): a big-endian header, then values,
// which are uint8 or int32. Files may be gzipped.
#ifndef HELLOCNN_DATA_IDX_H_
#define HELLOCNN_DATA_IDX_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/data/dataset_files.h"

namespace hellocnn {

// The contents of an IDX file: extents such as [10000, 28, 28], and the values in row-major order.
struct IdxArray {
  std::vector<std::int64_t> shape;
  bool is_int32 = false;               // else uint8
  std::vector<std::uint8_t> values;    // if the type is uint8
  std::vector<std::int32_t> integers;  // if the type is int32
};

// What an IDX file begins with.
struct IdxHeader {
  std::vector<std::int64_t> shape;
  bool is_int32 = false;  // else uint8
  std::size_t bytes = 0;  // of the header itself
};

// The bytes of a header that come first, and of which the last is the number of dimensions.
inline constexpr std::size_t kIdxMagicBytes = 4;
// The bytes of a header for each dimension, which follow.
inline constexpr std::size_t kIdxExtentBytes = 4;
inline constexpr int kMaxIdxDimensions = 4;
// The values of an array take at most as many bytes.
inline constexpr std::uint64_t kMaxIdxBytes = std::uint64_t{1} << 30;

// Parses the header that `bytes` begins with. `name` is the name of the file, for messages.
// INVALID_ARGUMENT: the magic is wrong, the type is neither uint8 nor int32, there are no
// dimensions or more than kMaxIdxDimensions, or the header is cut off. The message names the file,
// the value found and the value wanted.
absl::StatusOr<IdxHeader> ParseIdxHeader(const std::string& name, std::string_view bytes);

// Reads `path`, which may be gzipped; the content tells. Blocks on the disk, and reads no more than
// the header says. NOT_FOUND: there is no such file. INVALID_ARGUMENT: it is no regular file, it is
// damaged, there are too few or too many values, or more than `max_value_bytes` of them. The
// message names the file, the value found and the value wanted. Other errors have the code that
// belongs to errno. Also returns the errors of ParseIdxHeader.
absl::StatusOr<IdxArray> ReadIdx(const std::string& path,
                                 std::uint64_t max_value_bytes = kMaxIdxBytes);

// Parses a whole file in memory, which must not be gzipped. INVALID_ARGUMENT: there are too few or
// too many values. Also returns the errors of ParseIdxHeader. `name` is the name of the file, for
// messages.
absl::StatusOr<IdxArray> ParseIdx(const std::string& name, const std::string& bytes);

// Returns the bytes of an IDX file of uint8, not gzipped. `shape` has 1 to kMaxIdxDimensions
// extents, each at most 2^32 - 1, whose product is the number of values.
std::string FormatIdx(const std::vector<std::int64_t>& shape,
                      const std::vector<std::uint8_t>& values);

// Images and their labels. There is one label for each image, and it is the index of a class.
struct LabeledImages {
  int rows = 0;
  int columns = 0;
  std::vector<std::uint8_t> pixels;  // [count, rows, columns]
  std::vector<int> labels;           // [count]

  std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
};

// Reads the images and labels of two files. Returns the errors of ReadIdx. INVALID_ARGUMENT: the
// images are not [count, rows, columns] of uint8 with 1 to 65,535 rows and columns, or there is not
// one label for each image. Labels may be any numbers. Of labels with several columns, as QMNIST's,
// the first column counts.
absl::StatusOr<LabeledImages> ReadImagesAndLabels(const DatasetFiles& files);

// Checks that the labels are those of `classes` classes, counted from `first`. `name` is where they
// come from. INVALID_ARGUMENT: one is not; the message begins with `name`.
absl::Status CheckLabels(const std::string& name, const std::vector<int>& labels, int first,
                         int classes);

// The classes of MNIST are the ten digits.
inline constexpr int kMnistClasses = 10;

// Reads the images and labels of MNIST, or of a data set in its format, that FindDatasetFiles finds
// in `directory`. `prefix` is "train" or "t10k". Returns the errors of FindDatasetFiles and
// ReadImagesAndLabels. INVALID_ARGUMENT: a label is not in 0 to `classes` - 1.
absl::StatusOr<LabeledImages> ReadMnist(const std::string& directory, const std::string& prefix,
                                        int classes = kMnistClasses);

// Replaces each grey level by 255 less that level.
void Invert(LabeledImages& set);

// Exchanges rows and columns of each image. The files of EMNIST need it.
void Transpose(LabeledImages& set);

// What must be done to images so that their digits are light on dark, and upright.
struct Presentation {
  bool invert = false;
  bool transpose = false;
};

// Inverts and transposes the images, as far as `mending` says.
void Mend(const Presentation& mending, LabeledImages& set);

// Returns true if the mean of the pixels at the edges of all images is above 128, as that of dark
// digits on white paper is. The edges of MNIST's images are black.
bool LooksInverted(const LabeledImages& set);

}  // namespace hellocnn

#endif  // HELLOCNN_DATA_IDX_H_
