// Runs an engine on a batch and keeps what it says, for tests.
#ifndef HELLOCNN_TESTS_TESTING_CLASSIFY_H_
#define HELLOCNN_TESTS_TESTING_CLASSIFY_H_

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "hellocnn/engine.h"

namespace hellocnn::testing {

// What an engine says of a batch.
struct Classified {
  std::size_t classes;
  std::vector<float> log_probabilities;  // [images, classes]
  std::vector<absl::Status> statuses;    // by image

  std::vector<float> row(std::size_t image) const {
    const auto first = log_probabilities.begin() + static_cast<std::ptrdiff_t>(image * classes);
    return {first, first + static_cast<std::ptrdiff_t>(classes)};
  }
  // The first that is not OK.
  absl::Status status() const {
    for (const absl::Status& status : statuses) {
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
};

inline Classified Classify(Engine& engine, std::span<const ImageView> images) {
  const auto classes = static_cast<std::size_t>(engine.classes());
  // What an engine does not write shows.
  Classified result{classes, std::vector<float>(images.size() * classes, 7.0F),
                    std::vector<absl::Status>(images.size(), absl::UnknownError("not set"))};
  engine.Classify(images, result.log_probabilities, result.statuses);
  return result;
}

// The same, a batch of at most `batch` images after the other.
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
