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
  const std::vector<TensorSpec> specs = WeightTensors();
  for (const TensorSpec& spec : specs) {
    const auto found = tensors.find(spec.name);
    if (found == tensors.end()) {
      const auto name = [](std::string* out, const auto& entry) { out->append(entry.first); };
      return absl::InvalidArgumentError(absl::StrCat(
          "tensor ", spec.name, " is missing; wanted ", ShapeToString(spec.shape), "; found ",
          tensors.size(), " tensors: ", absl::StrJoin(tensors, ", ", name)));
    }
    const Tensor& tensor = found->second;
    if (tensor.shape != spec.shape ||
        static_cast<std::int64_t>(tensor.values.size()) != spec.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", spec.name, " has shape ", ShapeToString(tensor.shape), " and ",
                       tensor.values.size(), " values; wanted ", ShapeToString(spec.shape), " and ",
                       spec.size()));
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
  return Weights(std::move(tensors));
}

std::span<const float> Weights::operator[](std::string_view name) const {
  return tensors_.at(std::string(name)).values;
}

}  // namespace hellocnn
