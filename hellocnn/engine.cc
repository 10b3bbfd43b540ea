#include "hellocnn/engine.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"

namespace hellocnn {

bool CheckBatch(int classes, std::size_t max_batch_size, std::span<const ImageView> images,
                std::span<const float> log_probabilities, std::span<absl::Status> statuses) {
  const std::size_t count = images.size();
  const std::size_t values = count * static_cast<std::size_t>(classes);
  if (count >= 1 && count <= max_batch_size && log_probabilities.size() == values &&
      statuses.size() == count) {
    return true;
  }
  const absl::Status error = absl::InvalidArgumentError(absl::StrCat(
      "batch of ", count, " images with room for ", log_probabilities.size(),
      " log-probabilities and ", statuses.size(), " statuses; wanted 1 to ", max_batch_size,
      " images, ", classes, " log-probabilities and one status for each"));
  std::fill(statuses.begin(), statuses.end(), error);
  return false;
}

}  // namespace hellocnn
