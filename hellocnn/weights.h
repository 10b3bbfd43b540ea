// The ten trained tensors, checked against the layer table.
#ifndef HELLOCNN_WEIGHTS_H_
#define HELLOCNN_WEIGHTS_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn {

// A float32 tensor in row-major order.
struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;  // as many as the product of `shape`
};

// The number of values of a tensor of that shape, no extent of which is negative; -1 if it is more
// than `most`. Nothing overflows.
std::int64_t CountValues(const std::vector<std::int64_t>& shape, std::int64_t most);

// Immutable once made: exactly the tensors of WeightTensors(), each of the right shape, each value
// finite. Thread-safe.
class Weights {
 public:
  // INVALID_ARGUMENT names the tensor that is missing, not wanted, misshaped or not finite, what
  // was found and what was wanted.
  static absl::StatusOr<Weights> Create(std::map<std::string, Tensor> tensors);

  // The values of the tensor, row-major. `name` is one of WeightTensors(); any other is a
  // programming error and aborts. The span lives as long as this object.
  std::span<const float> operator[](std::string_view name) const;

  const std::map<std::string, Tensor>& tensors() const { return tensors_; }

 private:
  explicit Weights(std::map<std::string, Tensor> tensors) : tensors_(std::move(tensors)) {}

  std::map<std::string, Tensor> tensors_;
};

}  // namespace hellocnn

#endif  // HELLOCNN_WEIGHTS_H_
