#include "cli/models/golden_choice.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "hellocnn/engine_agreement.h"
#include "hellocnn/topology.h"

namespace hellocnn::cli {
namespace {

// The distance that the two greatest log-probabilities must have.
constexpr double kLeastMargin = 0.1;

bool IsClear(std::vector<double> log_probabilities) {
  std::nth_element(log_probabilities.begin(), log_probabilities.begin() + 1,
                   log_probabilities.end(), std::greater<>());
  return log_probabilities[0] - log_probabilities[1] >= kLeastMargin;
}

// Returns the indices of images that are classified rightly, in the order in which they are wanted.
std::vector<std::size_t> ByTurns(const ClassifiedImages& images, std::size_t most_of_a_class) {
  std::map<int, std::size_t> seen;                         // of each class
  std::vector<std::pair<std::size_t, std::size_t>> turns;  // the turn, and the image
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    if (images.classes[i] != images.labels[i]) continue;
    const std::size_t turn = seen[images.labels[i]]++;
    if (turn < most_of_a_class) turns.emplace_back(turn, i);
  }
  std::sort(turns.begin(), turns.end());
  std::vector<std::size_t> indices;
  indices.reserve(turns.size());
  for (const auto& [turn, index] : turns) indices.push_back(index);
  return indices;
}

// Returns the first `count` of the candidates, [n, 32, 32], that are clear.
absl::StatusOr<GoldenChoice> TakeClearOnes(const OfflineEngines& engines,
                                           const std::vector<std::uint8_t>& candidates,
                                           std::size_t count) {
  absl::StatusOr<std::vector<std::vector<double>>> rows =
      ReferenceLogProbabilities(engines, candidates);
  if (!rows.ok()) return rows.status();
  GoldenChoice choice;
  for (std::size_t i = 0; i < rows->size() && choice.log_probabilities.size() < count; ++i) {
    if (!IsClear((*rows)[i])) continue;
    const auto first = candidates.begin() + static_cast<std::ptrdiff_t>(i * kImagePixels);
    choice.images.insert(choice.images.end(), first, first + kImagePixels);
    choice.log_probabilities.push_back(std::move((*rows)[i]));
  }
  return choice;
}

}  // namespace

std::size_t CountGoldenImages(const ModelCard& card) {
  return card.golden.has_value() ? card.golden->log_probabilities.size() : 0;
}

absl::StatusOr<GoldenChoice> ChooseGoldenImages(const OfflineEngines& engines,
                                                const ClassifiedImages& images, std::size_t count) {
  // Some more than are wanted, because not all are clear.
  std::vector<std::size_t> indices = ByTurns(images, count);
  indices.resize(std::min(indices.size(), 2 * count));
  std::vector<std::uint8_t> candidates;
  for (const std::size_t index : indices) {
    const auto first = images.grey.begin() + static_cast<std::ptrdiff_t>(index * kImagePixels);
    candidates.insert(candidates.end(), first, first + kImagePixels);
  }
  return TakeClearOnes(engines, candidates, count);
}

absl::StatusOr<GoldenChoice> DrawnGoldenImages(const OfflineEngines& engines, std::size_t count) {
  std::vector<std::uint8_t> candidates;
  for (const std::vector<std::uint8_t>& image : VerificationImages()) {
    candidates.insert(candidates.end(), image.begin(), image.end());
  }
  return TakeClearOnes(engines, candidates, count);
}

}  // namespace hellocnn::cli
