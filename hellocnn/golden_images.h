// Golden images: a few images whose results the model card holds. They show that a model computes
// what it did when its card was written: the weights, the preprocessing and the order of the
// classes are those of the card.
#ifndef HELLOCNN_GOLDEN_IMAGES_H_
#define HELLOCNN_GOLDEN_IMAGES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/engine.h"
#include "hellocnn/model_card.h"

namespace hellocnn {

// How far a log-probability may be from that of the card: kGoldenAbsolute + kGoldenRelative *
// |log-probability of the card|. A card may have been written with float32 and other kernels; a
// wrong weight, mean or label moves it by far more.
inline constexpr double kGoldenAbsolute = 0.01;
inline constexpr double kGoldenRelative = 0.001;

// Reads the images that `card.golden` names, which must be set: grey levels of uint8 [count, 32,
// 32], in row-major order. Blocks on the disk. Returns the errors of ReadIdx. INVALID_ARGUMENT: the
// file has another shape, or not one image for each row of log-probabilities.
absl::StatusOr<std::vector<std::uint8_t>> LoadGoldenImages(const std::string& directory,
                                                           const ModelCard& card);

// Lets `engine`, which has the card's number of classes and preprocessing, classify image `index`
// of `pixels`, which LoadGoldenImages has returned for `card`. Uses only the caller's thread.
// FAILED_PRECONDITION: a log-probability is too far from that of the card; the message says which
// image, both classes and how far. Other errors are the engine's.
absl::Status CheckGoldenImage(const ModelCard& card, const std::vector<std::uint8_t>& pixels,
                              std::size_t index, Engine& engine);

}  // namespace hellocnn

#endif  // HELLOCNN_GOLDEN_IMAGES_H_
