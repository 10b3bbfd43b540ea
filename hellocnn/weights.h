// The ten trained tensors, checked against the layer table.
#ifndef HELLOCNN_WEIGHTS_H_
#define HELLOCNN_WEIGHTS_H_

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace hellocnn {

// A float32 tensor in row-major order.
struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;  // as many as the product of `shape`
};

// Returns how many values a tensor of that shape has, or -1 if it has more than `most`. No extent
// may be negative. Nothing overflows.
std::int64_t CountValues(const std::vector<std::int64_t>& shape, std::int64_t most);

// The trained numbers of one model. Immutable once made: exactly the tensors of
// WeightTensors(classes()), each of the right shape, each value finite. Thread-safe.
class Weights {
 public:
  // Checks the tensors. The rows of linear.2.weight say how many classes the model has, kMinClasses
  // to kMaxClasses; every other shape follows from that. INVALID_ARGUMENT names the tensor that is
  // missing, not wanted, misshaped or not finite, what was found and what was wanted.
  static absl::StatusOr<Weights> Create(std::map<std::string, Tensor> tensors);

  // Returns how many classes the model tells apart.
  int classes() const { return classes_; }

  // Returns the values of the tensor, row-major. `name` is one of WeightTensors(); any other is a
  // programming error and aborts. The span lives as long as this object.
  std::span<const float> operator[](std::string_view name) const;

  const std::map<std::string, Tensor>& tensors() const { return tensors_; }

 private:
  Weights(std::map<std::string, Tensor> tensors, int classes)
      : tensors_(std::move(tensors)), classes_(classes) {}

  std::map<std::string, Tensor> tensors_;
  int classes_;
};

}  // namespace hellocnn

#endif  // HELLOCNN_WEIGHTS_H_
