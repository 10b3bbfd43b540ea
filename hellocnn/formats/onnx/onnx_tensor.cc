#include "hellocnn/formats/onnx/onnx_tensor.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "hellocnn/dtype.h"
#include "hellocnn/topology.h"
#include "hellocnn/weights.h"

namespace hellocnn {
namespace {

// Far above the 86,016 values of the largest tensor that HelloCNN can have.
constexpr std::int64_t kMaxValues = 1 << 20;
constexpr int kMaxDimensions = 8;

// The numbers of types, as in TensorProto.DataType.
std::optional<Dtype> DtypeOf(int type) {
  switch (type) {
    case 1:
      return Dtype::kFloat32;
    case 10:
      return Dtype::kFloat16;
    case 11:
      return Dtype::kFloat64;
    case 16:
      return Dtype::kBFloat16;
    default:
      return std::nullopt;
  }
}

absl::Status Invalid(const std::string& what) { return absl::InvalidArgumentError(what); }

// Returns the bits of each number.
std::vector<std::uint64_t> ReadBits(const onnx::Tensor& tensor, Dtype dtype) {
  std::vector<std::uint64_t> bits;
  const std::string& raw = tensor.raw_data();
  if (!raw.empty()) {
    const std::size_t width = WidthOf(dtype);
    for (std::size_t at = 0; at + width <= raw.size(); at += width) {
      std::uint64_t number = 0;
      for (std::size_t i = width; i-- > 0;) {
        number = number << 8 | static_cast<std::uint8_t>(raw[at + i]);
      }
      bits.push_back(number);
    }
  } else if (dtype == Dtype::kFloat32) {
    for (const float number : tensor.float_data()) {
      bits.push_back(std::bit_cast<std::uint32_t>(number));
    }
  } else if (dtype == Dtype::kFloat64) {
    for (const double number : tensor.double_data()) {
      bits.push_back(std::bit_cast<std::uint64_t>(number));
    }
  } else {
    for (const std::int32_t number : tensor.int32_data()) {
      bits.push_back(static_cast<std::uint16_t>(number));
    }
  }
  return bits;
}

std::vector<float> Transposed(const std::vector<float>& values, std::size_t rows,
                              std::size_t columns) {
  std::vector<float> transposed(values.size());
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      transposed[column * rows + row] = values[row * columns + column];
    }
  }
  return transposed;
}

}  // namespace

absl::StatusOr<StoredTensor> ReadOnnxTensor(const onnx::Tensor& tensor, bool transpose) {
  if (tensor.data_location() != 0) {
    return Invalid(
        "its values are in another file; wanted them in this one: torch.onnx.export(…, "
        "external_data=False)");
  }
  const std::optional<Dtype> dtype = DtypeOf(tensor.data_type());
  if (!dtype.has_value()) {
    return Invalid(absl::StrCat("its type has the number ", tensor.data_type(), "; wanted ",
                                kWantedDtypes, " (1, 10, 16 or 11)"));
  }
  std::vector<std::int64_t> shape(tensor.dims().begin(), tensor.dims().end());
  if (tensor.dims_size() > kMaxDimensions) {
    return Invalid(
        absl::StrCat("has ", tensor.dims_size(), " dimensions; wanted at most ", kMaxDimensions));
  }
  for (const std::int64_t extent : shape) {
    if (extent < 0) return Invalid(absl::StrCat("has the extent ", extent, "; wanted 0 or more"));
  }
  const std::int64_t count = CountValues(shape, kMaxValues);
  if (count < 0) {
    return Invalid(absl::StrCat("has shape ", ShapeToString(shape), "; wanted at most ", kMaxValues,
                                " values"));
  }
  const std::vector<std::uint64_t> bits = ReadBits(tensor, *dtype);
  if (bits.size() != static_cast<std::size_t>(count) ||
      tensor.raw_data().size() % WidthOf(*dtype) != 0) {
    return Invalid(absl::StrCat("has shape ", ShapeToString(shape), ", but ", bits.size(),
                                " values; wanted ", count));
  }
  std::vector<float> values;
  values.reserve(bits.size());
  for (const std::uint64_t number : bits) {
    const absl::StatusOr<float> value = ToFloat32(*dtype, number);
    if (!value.ok()) {
      return Invalid(absl::StrCat("value ", values.size(), " ", value.status().message()));
    }
    values.push_back(*value);
  }
  if (transpose) {
    if (shape.size() != 2) {
      return Invalid(absl::StrCat("has shape ", ShapeToString(shape), "; wanted a matrix"));
    }
    values =
        Transposed(values, static_cast<std::size_t>(shape[0]), static_cast<std::size_t>(shape[1]));
    std::swap(shape[0], shape[1]);
  }
  return StoredTensor{{std::move(shape), std::move(values)}, *dtype};
}

}  // namespace hellocnn
