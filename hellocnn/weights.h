// The ten trained tensors, checked against the layer table.
#ifndef HELLOCNN_WEIGHTS_H_
#define HELLOCNN_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace hellocnn {

// A float32 tensor in row-major order.
struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;  // their number is the product of `shape`
};

// Returns the number of values of a tensor of this shape, or -1 if there are more than `most`. No
// extent may be negative. The computation never overflows.
std::int64_t CountValues(const std::vector<std::int64_t>& shape, std::int64_t most);

// Returns the error for a set of tensors, named `found`, that lacks one. `name` is its name in the
// network, before which the other names have `prefix`.
absl::Status MissingTensor(const std::string& prefix, const std::string& name,
                           const std::vector<std::string>& found);

// Returns the error for `count` tensors that the network does not have. `name` is one of them.
absl::Status ForeignTensor(const std::string& name, std::size_t count);

// The trained parameters of one model: exactly the tensors of WeightTensors(classes()), each with
// the right shape and only finite values. Immutable, so thread-safe.
class Weights {
 public:
  // Checks the tensors and takes ownership of them. The number of rows of linear.2.weight is the
  // model's number of classes, kMinClasses to kMaxClasses. Every other shape follows from it.
  // INVALID_ARGUMENT: a tensor is missing, unexpected, misshaped or not finite. The message names
  // the tensor, the value found and the value wanted.
  static absl::StatusOr<Weights> Create(std::map<std::string, Tensor> tensors);

  // Returns the model's number of classes.
  int classes() const { return classes_; }

  // Returns the values of a tensor in row-major order. `name` must be one of WeightTensors(). Any
  // other name is a programming error and aborts. The span is valid as long as this object lives.
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
