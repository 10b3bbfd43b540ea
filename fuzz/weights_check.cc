#include "fuzz/weights_check.h"

#include <cmath>
#include <cstring>

#include "fuzz/check.h"
#include "fuzz/memory_file.h"
#include "hellocnn/formats/weight_file.h"

namespace hellocnn::fuzz {
namespace {

bool SameBits(const Tensor& a, const Tensor& b) {
  return a.shape == b.shape && a.values.size() == b.values.size() &&
         std::memcmp(a.values.data(), b.values.data(), a.values.size() * sizeof(float)) == 0;
}

}  // namespace

void CheckWeights(const absl::StatusOr<Weights>& weights, const std::string& path,
                  const std::string& scratch_name) {
  if (!weights.ok()) return RequireGoodError(weights.status(), path + ": ");
  for (const auto& [name, tensor] : weights->tensors()) {
    const auto size = static_cast<std::int64_t>(tensor.values.size());
    Require(CountValues(tensor.shape, size) == size, "a shape of another size", name);
    for (const float value : tensor.values) Require(std::isfinite(value), "not finite", name);
  }
  static const auto* const scratch = new ScratchDirectory();
  const std::string copy_path = scratch->path() + "/" + scratch_name;
  const absl::Status saved = SaveWeightFile(*weights, copy_path);
  Require(saved.ok(), "cannot be saved", saved.ToString());
  const absl::StatusOr<Weights> copy = LoadWeightFile(copy_path);
  Require(copy.ok(), "cannot be loaded again", copy.status().ToString());
  Require(copy->tensors().size() == weights->tensors().size(), "another number of tensors");
  for (const auto& [name, tensor] : weights->tensors()) {
    Require(SameBits(tensor, copy->tensors().at(name)), "another tensor", name);
  }
}

}  // namespace hellocnn::fuzz
