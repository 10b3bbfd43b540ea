#include "hellocnn/prediction.h"

#include <bit>
#include <cstddef>
#include <cstdint>

namespace hellocnn {
namespace {

// Returns true if every value is finite. A float is not finite if all bits of its exponent are set.
// There is no early return, so that the compiler can vectorise the loop.
bool AllFinite(std::span<const float> row) {
  constexpr std::uint32_t kExponent = 0x7F80'0000;
  bool finite = true;
  for (const float value : row) {
    finite &= (std::bit_cast<std::uint32_t>(value) & kExponent) != kExponent;
  }
  return finite;
}

}  // namespace

void CheckRows(std::span<const float> log_probabilities, std::span<absl::Status> statuses) {
  if (statuses.empty()) return;
  const std::size_t classes = log_probabilities.size() / statuses.size();
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    statuses[i] = AllFinite(log_probabilities.subspan(i * classes, classes))
                      ? absl::OkStatus()
                      : absl::InvalidArgumentError(
                            "the network's output is not finite: the pixels are too large");
  }
}

}  // namespace hellocnn
