#include "hellocnn/weights.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <set>
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
  std::vector<std::string> names;
  names.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  std::set<std::string> others(names.begin(), names.end());
  for (const TensorSpec& spec : WeightTensors(kMinClasses)) {
    if (others.erase(spec.name) == 0) return MissingTensor("", spec.name, names);
  }
  return others.empty() ? absl::OkStatus() : ForeignTensor(*others.begin(), others.size());
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

absl::Status MissingTensor(const std::string& prefix, const std::string& name,
                           const std::vector<std::string>& found) {
  constexpr std::size_t kMostShown = 16;
  std::string wanted;
  for (const TensorSpec& spec : WeightTensors(kMinClasses)) {
    if (spec.name == name) wanted = ShapeToString(spec.shape);
  }
  if (name == kClassWeights) wanted = WantedClassWeights();
  if (name == kClassBias) wanted = "[classes]";
  const auto shown_end =
      found.begin() + static_cast<std::ptrdiff_t>(std::min(found.size(), kMostShown));
  return absl::InvalidArgumentError(
      absl::StrCat("tensor ", prefix, name, " is missing; wanted ", wanted, "; found ",
                   found.size(), " tensors: ", absl::StrJoin(found.begin(), shown_end, ", "),
                   shown_end == found.end() ? "" : ", …"));
}

absl::Status ForeignTensor(const std::string& name, std::size_t count) {
  const auto name_of = [](std::string* out, const TensorSpec& spec) { out->append(spec.name); };
  return absl::InvalidArgumentError(absl::StrCat(
      "tensor ", name, count > 1 ? absl::StrCat(" and ", count - 1, " more do") : " does",
      " not belong to HelloCNN; wanted only ",
      absl::StrJoin(WeightTensors(kMinClasses), ", ", name_of)));
}

absl::StatusOr<Weights> Weights::Create(std::map<std::string, Tensor> tensors) {
  if (absl::Status status = CheckNames(tensors); !status.ok()) return status;
  const absl::StatusOr<int> classes = CountClasses(tensors);
  if (!classes.ok()) return classes.status();
  for (const TensorSpec& spec : WeightTensors(*classes)) {
    const Tensor& tensor = tensors.at(spec.name);
    if (tensor.shape != spec.shape ||
        static_cast<std::int64_t>(tensor.values.size()) != spec.size()) {
      return Misshaped(spec.name, tensor,
                       absl::StrCat(ShapeToString(spec.shape), " and ", spec.size()));
    }
    if (absl::Status status = CheckValues(spec.name, tensor); !status.ok()) return status;
  }
  return Weights(std::move(tensors), *classes);
}

std::span<const float> Weights::operator[](std::string_view name) const {
  return tensors_.at(std::string(name)).values;
}

}  // namespace hellocnn
