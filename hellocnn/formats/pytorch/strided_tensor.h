// Tensors as PyTorch stores them: a storage, which is the bytes of numbers, and a layout, which
// says which of them belong to the tensor.
#ifndef HELLOCNN_FORMATS_PYTORCH_STRIDED_TENSOR_H_
#define HELLOCNN_FORMATS_PYTORCH_STRIDED_TENSOR_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/dtype.h"
#include "hellocnn/formats/pytorch/records.h"
#include "hellocnn/stored_weights.h"

namespace hellocnn {

inline constexpr std::size_t kMaxTensorDimensions = 8;

// The remaining budget for allocations of one file. Without a limit, a few bytes of the file could
// make a loader allocate any amount of memory. Both limits are far above the 147,896 values of
// HelloCNN with 1,024 classes. A file of another network thus still gets the message about its
// tensors.
struct ReadBudget {
  std::size_t storage_bytes = std::size_t{64} << 20;
  std::int64_t values = std::int64_t{16} << 20;
};

// The positions of a tensor's values in its storage, counted in values.
struct StridedLayout {
  std::int64_t offset = 0;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;
};

// Returns the type of that name, such as "float16", or none if it cannot be converted to float32.
std::optional<Dtype> DtypeNamed(const std::string& name);

// Returns true if the numbers of a file are big-endian, as its record "byteorder" says. Older files
// have no such record and are little-endian. INVALID_ARGUMENT: the record has something else.
absl::StatusOr<bool> IsBigEndian(Records& records);

// Copies the values in the row-major order of the shape, converted to float32, and takes them off
// the budget. Shape and strides must have the same length, at most kMaxTensorDimensions, and no
// negative number. INVALID_ARGUMENT: a value lies beyond the storage, cannot be converted, or is
// one too many for the budget. The message does not name the tensor.
absl::StatusOr<StoredTensor> ReadStrided(StridedLayout layout, const std::string& storage,
                                         Dtype dtype, bool big_endian, ReadBudget* budget);

}  // namespace hellocnn

#endif  // HELLOCNN_FORMATS_PYTORCH_STRIDED_TENSOR_H_
