// Runs an engine on a batch and returns its results, for tests.
#ifndef HELLOCNN_TESTS_TESTING_CLASSIFY_H_
#define HELLOCNN_TESTS_TESTING_CLASSIFY_H_

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "hellocnn/engine.h"

namespace hellocnn::testing {

// The results of an engine for a batch.
struct Classified {
  std::size_t classes;
  std::vector<float> log_probabilities;  // [images, classes]
  std::vector<absl::Status> statuses;    // by image

  std::vector<float> row(std::size_t image) const {
    const auto first = log_probabilities.begin() + static_cast<std::ptrdiff_t>(image * classes);
    return {first, first + static_cast<std::ptrdiff_t>(classes)};
  }
  // Returns the first status that is not OK, or OK if there is none.
  absl::Status status() const {
    for (const absl::Status& status : statuses) {
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
};

inline Classified Classify(Engine& engine, std::span<const ImageView> images) {
  const auto classes = static_cast<std::size_t>(engine.classes());
  // The initial values reveal what an engine does not write.
  Classified result{classes, std::vector<float>(images.size() * classes, 7.0F),
                    std::vector<absl::Status>(images.size(), absl::UnknownError("not set"))};
  engine.Classify(images, result.log_probabilities, result.statuses);
  return result;
}

// Does the same in batches of at most `batch` images.
inline Classified ClassifyInBatches(Engine& engine, std::span<const ImageView> images,
                                    std::size_t batch) {
  Classified all{static_cast<std::size_t>(engine.classes()), {}, {}};
  for (std::size_t i = 0; i < images.size(); i += batch) {
    const Classified part = Classify(engine, images.subspan(i, std::min(batch, images.size() - i)));
    all.log_probabilities.insert(all.log_probabilities.end(), part.log_probabilities.begin(),
                                 part.log_probabilities.end());
    all.statuses.insert(all.statuses.end(), part.statuses.begin(), part.statuses.end());
  }
  return all;
}

inline Classified Classify(Engine& engine, const ImageView& image) {
  return Classify(engine, std::span(&image, 1));
}

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_CLASSIFY_H_
