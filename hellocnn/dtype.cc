#include "hellocnn/dtype.h"

#include <bit>
#include <cmath>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hellocnn {
namespace {

// Every float16 is exactly a float32.
float FromFloat16(std::uint64_t bits) {
  constexpr int kMantissaBits = 10;
  constexpr int kBias = 15;
  const int exponent = static_cast<int>(bits >> kMantissaBits & 0x1F);
  const int mantissa = static_cast<int>(bits & 0x3FF);
  float magnitude = 0;
  if (exponent == 0x1F) {
    magnitude = mantissa == 0 ? std::numeric_limits<float>::infinity()
                              : std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(mantissa), 1 - kBias - kMantissaBits);
  } else {
    magnitude = std::ldexp(static_cast<float>(mantissa | 1 << kMantissaBits),
                           exponent - kBias - kMantissaBits);
  }
  return (bits >> 15 & 1) != 0 ? -magnitude : magnitude;
}

// Returns infinity for what is too large.
float FromBits(Dtype dtype, std::uint64_t bits) {
  switch (dtype) {
    case Dtype::kFloat32:
      return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    case Dtype::kFloat16:
      return FromFloat16(bits);
    case Dtype::kBFloat16:
      return std::bit_cast<float>(static_cast<std::uint32_t>(bits << 16));
    case Dtype::kFloat64:
      return static_cast<float>(std::bit_cast<double>(bits));
  }
  return std::numeric_limits<float>::quiet_NaN();
}

}  // namespace

std::string NameOf(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat32:
      return "float32";
    case Dtype::kFloat16:
      return "float16";
    case Dtype::kBFloat16:
      return "bfloat16";
    case Dtype::kFloat64:
      return "float64";
  }
  return "unknown";
}

std::size_t WidthOf(Dtype dtype) {
  switch (dtype) {
    case Dtype::kFloat32:
      return 4;
    case Dtype::kFloat16:
    case Dtype::kBFloat16:
      return 2;
    case Dtype::kFloat64:
      return 8;
  }
  return 1;
}

absl::StatusOr<float> ToFloat32(Dtype dtype, std::uint64_t bits) {
  const float value = FromBits(dtype, bits);
  if (dtype == Dtype::kFloat64 && std::isinf(value) && std::isfinite(std::bit_cast<double>(bits))) {
    return absl::InvalidArgumentError(
        absl::StrCat("is ", std::bit_cast<double>(bits), ", a float64 that float32 cannot hold; ",
                     "wanted at most ", std::numeric_limits<float>::max(), " by magnitude"));
  }
  return value;
}

}  // namespace hellocnn
