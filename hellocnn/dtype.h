// The types of the numbers in weight files, and their conversion to float32.
#ifndef HELLOCNN_DTYPE_H_
#define HELLOCNN_DTYPE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace hellocnn {

// Every type that can be converted to float32.
enum class Dtype { kFloat32, kFloat16, kBFloat16, kFloat64 };

// Returns PyTorch's name: "bfloat16".
std::string NameOf(Dtype dtype);

// Returns the size of one number in bytes.
std::size_t WidthOf(Dtype dtype);

// The types that an error names as wanted if a tensor has any other type.
inline constexpr char kWantedDtypes[] = "float32, float16, bfloat16 or float64";

// Converts the lowest bits of `bits`, a number of that type, to float32. float16 and bfloat16 lose
// nothing; float64 is rounded to the nearest float32. INVALID_ARGUMENT: a finite float64 is too
// large for float32. The message has the number, but not the tensor.
absl::StatusOr<float> ToFloat32(Dtype dtype, std::uint64_t bits);

}  // namespace hellocnn

#endif  // HELLOCNN_DTYPE_H_
