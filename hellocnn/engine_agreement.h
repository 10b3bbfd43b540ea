// Verifies an engine: it must agree with the reference engine for a fixed set of images.
#ifndef HELLOCNN_ENGINE_AGREEMENT_H_
#define HELLOCNN_ENGINE_AGREEMENT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/engine.h"

namespace hellocnn {

// The distance that two log-probabilities may have, in proportion to the greatest log-probability
// of the image, by magnitude, if that is above 1. Engines add in different orders, which moves a
// value of -50 by up to 1e-4; a wrong weight or a lost image moves it by far more.
inline constexpr double kAgreement = 1e-4;

// Asked between two batches whether to give up; true ends a verification with CANCELLED. May be
// null, which never stops. It is called on the verifying thread and must not block.
using StopCheck = std::function<bool()>;

// Calls `step` again and again until it returns false, on the thread on which an engine is to be
// verified, and returns true; or returns false without a call if there is no such thread. Null
// stands for the calling thread.
using StepRunner = std::function<bool(const std::function<bool()>& step)>;

// The results of the reference engine for a fixed set of grey and float images. Once computed, they
// can verify any number of engines, also at the same time: each worker can check its own engine, on
// its own thread and so in the floating-point mode in which it serves. Immutable; thread-safe.
class ReferenceResults {
 public:
  // Lets `reference` classify the images one at a time: some 20 ms for the reference engine of
  // hellocnn/reference. Blocks. CANCELLED: stopped. Other errors are the engine's.
  static absl::StatusOr<ReferenceResults> Compute(Engine& reference,
                                                  const StopCheck& stop = nullptr);

  // Lets `candidate` classify the images in batches of every size from 1 to `max_batch_size`, and
  // compares; each batch is a step of `run`. Blocks for as long as the engine takes for
  // max_batch_size * (max_batch_size + 1) / 2 images, but obeys `stop` after each batch. So it
  // warms the engine up as well.
  //
  // FAILED_PRECONDITION: the engine has another number of classes, or a log-probability differs by
  // more than kAgreement, and says which image of which batch is how far off; or `run` has no
  // thread. CANCELLED: stopped. Other errors are the engine's.
  absl::Status Check(Engine& candidate, int max_batch_size, const StopCheck& stop = nullptr,
                     const StepRunner& run = nullptr) const;

  // Returns the class of all images, if it is the same for all of them.
  std::optional<int> OnlyClass() const;

 private:
  ReferenceResults(int classes, std::vector<float> rows)
      : classes_(classes), rows_(std::move(rows)) {}

  int classes_;
  std::vector<float> rows_;  // [images, classes]
};

// Returns the grey levels of the images of a verification, 1,024 for each image: blank, full, and
// strokes on a dark ground, as digits are. They are the same everywhere. Thread-safe.
const std::vector<std::vector<std::uint8_t>>& VerificationImages();

}  // namespace hellocnn

#endif  // HELLOCNN_ENGINE_AGREEMENT_H_
