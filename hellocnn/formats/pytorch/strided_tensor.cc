#include "hellocnn/formats/pytorch/strided_tensor.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

// Returns true if every value lies within a storage of `storage_values` values. The tensor must not
// be empty.
bool Fits(const StridedLayout& layout, std::int64_t storage_values) {
  std::int64_t last = layout.offset;
  for (std::size_t i = 0; i < layout.shape.size(); ++i) {
    std::int64_t span = 0;
    if (__builtin_mul_overflow(layout.shape[i] - 1, layout.strides[i], &span)) return false;
    if (__builtin_add_overflow(last, span, &last)) return false;
  }
  return last < storage_values;
}

std::uint64_t ReadBits(const std::string& bytes, std::size_t index, std::size_t width,
                       bool big_endian) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < width; ++i) {
    const std::size_t byte = big_endian ? i : width - 1 - i;
    bits = bits << 8 | static_cast<std::uint8_t>(bytes[width * index + byte]);
  }
  return bits;
}

// Copies the values in the row-major order of the shape, converted to float32. `layout` must fit
// the storage. The error does not name the tensor.
absl::Status CopyValues(const StridedLayout& layout, const std::string& bytes, Dtype dtype,
                        bool big_endian, std::vector<float>& values) {
  std::vector<std::int64_t> position(layout.shape.size(), 0);
  std::int64_t index = layout.offset;
  for (std::size_t at = 0; at < values.size(); ++at) {
    const absl::StatusOr<float> value = ToFloat32(
        dtype, ReadBits(bytes, static_cast<std::size_t>(index), WidthOf(dtype), big_endian));
    if (!value.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("value ", at, " ", value.status().message()));
    }
    values[at] = *value;
    for (std::size_t i = position.size(); i-- > 0;) {
      index += layout.strides[i];
      if (++position[i] < layout.shape[i]) break;
      index -= layout.strides[i] * layout.shape[i];
      position[i] = 0;
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<Dtype> DtypeNamed(const std::string& name) {
  for (const Dtype dtype : {Dtype::kFloat32, Dtype::kFloat16, Dtype::kBFloat16, Dtype::kFloat64}) {
    if (NameOf(dtype) == name) return dtype;
  }
  return std::nullopt;
}

absl::StatusOr<bool> IsBigEndian(Records& records) {
  if (!records.Contains("byteorder")) return false;
  const absl::StatusOr<std::string> order = records.Read("byteorder", 16);
  if (!order.ok()) return order.status();
  if (*order == "little" || *order == "big") return *order == "big";
  return absl::InvalidArgumentError(absl::StrCat(records.path(), ": byte order is \"",
                                                 absl::CHexEscape(*order),
                                                 "\"; wanted \"little\" or \"big\""));
}

absl::StatusOr<StoredTensor> ReadStrided(StridedLayout layout, const std::string& storage,
                                         Dtype dtype, bool big_endian, ReadBudget* budget) {
  // The stride of a dimension of extent 1 is never used and may have any value. It is set to 0,
  // which cannot overflow.
  for (std::size_t i = 0; i < layout.shape.size(); ++i) {
    if (layout.shape[i] == 1) layout.strides[i] = 0;
  }
  const std::int64_t count = CountValues(layout.shape, budget->values);
  if (count < 0) {
    return absl::InvalidArgumentError(absl::StrCat("has shape ", ShapeToString(layout.shape),
                                                   "; wanted at most ", ReadBudget().values,
                                                   " values in all tensors together"));
  }
  const auto storage_values = static_cast<std::int64_t>(storage.size() / WidthOf(dtype));
  if (count > 0 && !Fits(layout, storage_values)) {
    return absl::InvalidArgumentError(
        absl::StrCat("has shape ", ShapeToString(layout.shape), ", strides ",
                     ShapeToString(layout.strides), " and offset ", layout.offset,
                     ", which reaches beyond its storage of ", storage_values, " values"));
  }
  budget->values -= count;
  Tensor tensor{layout.shape, std::vector<float>(static_cast<std::size_t>(count))};
  if (absl::Status status = CopyValues(layout, storage, dtype, big_endian, tensor.values);
      !status.ok()) {
    return status;
  }
  return StoredTensor{std::move(tensor), dtype};
}

}  // namespace hellocnn
