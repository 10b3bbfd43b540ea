#include "hellocnn/weights.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "hellocnn/topology.h"

namespace hellocnn {
namespace {

absl::Status CheckValues(const std::string& name, const Tensor& tensor) {
  for (std::size_t i = 0; i < tensor.values.size(); ++i) {
    if (!std::isfinite(tensor.values[i])) {
      return absl::InvalidArgumentError(absl::StrCat("tensor ", name, ": value ", i, " is ",
                                                     tensor.values[i],
                                                     "; every value must be finite"));
    }
  }
  return absl::OkStatus();
}

absl::Status Missing(const std::string& name, const std::string& wanted,
                     const std::map<std::string, Tensor>& tensors) {
  const auto key = [](std::string* out, const auto& entry) { out->append(entry.first); };
  return absl::InvalidArgumentError(absl::StrCat("tensor ", name, " is missing; wanted ", wanted,
                                                 "; found ", tensors.size(),
                                                 " tensors: ", absl::StrJoin(tensors, ", ", key)));
}

absl::Status Misshaped(const std::string& name, const Tensor& tensor, const std::string& wanted) {
  return absl::InvalidArgumentError(absl::StrCat("tensor ", name, " has shape ",
                                                 ShapeToString(tensor.shape), " and ",
                                                 tensor.values.size(), " values; wanted ", wanted));
}

std::string WantedClassWeights() {
  const int inputs = PlaceLayers(kMinClasses)[kLayers - 2].input.size();
  return absl::StrCat("[classes, ", inputs, "] with ", kMinClasses, " to ", kMaxClasses,
                      " classes");
}

// Checks the names in the order of the layers. The error for a file of another network is thus
// about its first layer.
absl::Status CheckNames(const std::map<std::string, Tensor>& tensors) {
  for (const TensorSpec& spec : WeightTensors(kMinClasses)) {
    if (tensors.count(spec.name) > 0) continue;
    std::string wanted = ShapeToString(spec.shape);
    if (spec.name == kClassWeights) wanted = WantedClassWeights();
    if (spec.name == kClassBias) wanted = "[classes]";
    return Missing(spec.name, wanted, tensors);
  }
  return absl::OkStatus();
}

// Returns the number of rows of linear.2.weight, which is the number of classes. The tensor must
// exist.
absl::StatusOr<int> CountClasses(const std::map<std::string, Tensor>& tensors) {
  const Tensor& tensor = tensors.at(kClassWeights);
  const std::vector<std::int64_t>& shape = tensor.shape;
  const int inputs = PlaceLayers(kMinClasses)[kLayers - 2].input.size();
  if (shape.size() != 2 || shape[0] < kMinClasses || shape[0] > kMaxClasses || shape[1] != inputs) {
    return Misshaped(kClassWeights, tensor, WantedClassWeights());
  }
  return static_cast<int>(shape[0]);
}

}  // namespace

std::int64_t CountValues(const std::vector<std::int64_t>& shape, std::int64_t most) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent > most / count) return -1;
    count *= extent;
  }
  return count <= most ? count : -1;
}

absl::StatusOr<Weights> Weights::Create(std::map<std::string, Tensor> tensors) {
  if (absl::Status status = CheckNames(tensors); !status.ok()) return status;
  const absl::StatusOr<int> classes = CountClasses(tensors);
  if (!classes.ok()) return classes.status();
  const std::vector<TensorSpec> specs = WeightTensors(*classes);
  for (const TensorSpec& spec : specs) {
    const Tensor& tensor = tensors.at(spec.name);
    if (tensor.shape != spec.shape ||
        static_cast<std::int64_t>(tensor.values.size()) != spec.size()) {
      return Misshaped(spec.name, tensor,
                       absl::StrCat(ShapeToString(spec.shape), " and ", spec.size()));
    }
    if (absl::Status status = CheckValues(spec.name, tensor); !status.ok()) return status;
  }
  for (const auto& [name, tensor] : tensors) {
    bool wanted = false;
    for (const TensorSpec& spec : specs) wanted = wanted || spec.name == name;
    if (!wanted) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", name, " ", ShapeToString(tensor.shape),
                       " is not part of HelloCNN, which has ", specs.size(), " tensors"));
    }
  }
  return Weights(std::move(tensors), *classes);
}

std::span<const float> Weights::operator[](std::string_view name) const {
  return tensors_.at(std::string(name)).values;
}

}  // namespace hellocnn
