// Engines for tests whose results are wrong.
#ifndef HELLOCNN_TESTS_TESTING_FAULTY_ENGINE_H_
#define HELLOCNN_TESTS_TESTING_FAULTY_ENGINE_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <span>

#include "tests/testing/fake_engine.h"

namespace hellocnn::testing {

// Changes the log-probabilities of a batch, [images, kFakeClasses].
using Fault = std::function<void(std::span<float>)>;

// A fake engine's results, with a fault.
inline EngineFactory Faulty(const Fault& fault, int classes = kFakeClasses) {
  class FaultyEngine : public Engine {
   public:
    FaultyEngine(const Fault& fault, int classes) : fault_(fault), classes_(classes) {}
    int classes() const override { return classes_; }
    void Classify(std::span<const ImageView> images, std::span<float> log_probabilities,
                  std::span<absl::Status> statuses) override {
      std::fill(statuses.begin(), statuses.end(), absl::OkStatus());
      WriteFakeRows(images, log_probabilities);
      fault_(log_probabilities);
    }

   private:
    const Fault fault_;
    const int classes_;
  };
  return [fault, classes]() -> absl::StatusOr<std::unique_ptr<Engine>> {
    return std::make_unique<FaultyEngine>(fault, classes);
  };
}

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_FAULTY_ENGINE_H_
