#include "server/serving/comparison.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "hellocnn/image.h"
#include "hellocnn/prediction.h"

namespace hellocnn::server {
namespace {

// Nobody waits for a comparison, but its copy should not stay for long.
constexpr absl::Duration kMostWait = absl::Seconds(1);

// Of a class that counts.
const float kLogOfOnePercent = std::log(0.01F);
constexpr double kMostDistance = 10;

}  // namespace

double LogProbabilityDistance(std::span<const float> a, std::span<const float> b) {
  double distance = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::max(a[i], b[i]) < kLogOfOnePercent) continue;
    distance = std::max(distance, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return std::min(distance, kMostDistance);
}

// The copy of a request. Deletes itself at its end.
class Comparer::Comparison final : public Job {
 public:
  Comparison(const Comparer& comparer, const Route& route, const ComputedRequest& computed)
      : events_(comparer.events_),
        failed_(comparer.failed_),
        first_(route.responds),
        second_(route.compared),
        candidate_first_(route.candidate_responds),
        first_results_(computed.log_probabilities.begin(), computed.log_probabilities.end()),
        second_results_(first_results_.size()),
        images_(computed.images.begin(), computed.images.end()) {
    std::size_t bytes = 0;
    for (const ImageView& image : images_) bytes += BytesPerImage(image.format);
    pixels_.reserve(bytes);
    for (ImageView& image : images_) {
      const std::byte* const copy = pixels_.data() + pixels_.size();
      pixels_.insert(pixels_.end(), image.pixels, image.pixels + BytesPerImage(image.format));
      image.pixels = copy;
    }
    Prepare(images_, second_results_, comparer.clock_->Now() + kMostWait);
  }

 private:
  void OnFinished() override {
    const std::unique_ptr<Comparison> self(this);
    const ModelId candidate = candidate_first_ ? first_->id() : second_->id();
    if (!status().ok()) return events_->OnNotCompared(candidate, failed_);
    const std::size_t classes = static_cast<std::size_t>(second_->classes());
    std::vector<Difference> differences;
    differences.reserve(images_.size());
    for (std::size_t at = 0; at < first_results_.size(); at += classes) {
      const std::span first = std::span(first_results_).subspan(at, classes);
      const std::span second = std::span(second_results_).subspan(at, classes);
      const std::span current = candidate_first_ ? second : first;
      const int class_index = MostLikelyClass(current);
      differences.push_back(
          {.class_index = class_index,
           .same_class = MostLikelyClass(candidate_first_ ? first : second) == class_index,
           .distance = LogProbabilityDistance(first, second)});
    }
    events_->OnCompared({.candidate = candidate, .images = differences});
  }

  Events* const events_;
  const ReasonId failed_;
  const ServableHandle first_;
  const ServableHandle second_;
  const bool candidate_first_;
  const std::vector<float> first_results_;
  std::vector<float> second_results_;
  std::vector<ImageView> images_;
  std::vector<std::byte> pixels_;
};

Comparer::Comparer(Events* events, const Clock* clock)
    : events_(events),
      clock_(clock),
      busy_(events->AddReason(ReasonOf::kSkip, "busy")),
      failed_(events->AddReason(ReasonOf::kSkip, "failed")) {}

void Comparer::Compare(const Route& route, const ComputedRequest& computed) const {
  if (route.compared == nullptr || !events_->wants_statistics()) return;
  if (route.compared->HasSpareTime()) {  // else no copy is made
    auto comparison = std::make_unique<Comparison>(*this, route, computed);
    if (route.compared->SubmitSpare(comparison.get()).ok()) {
      comparison.release();  // NOLINT(bugprone-unused-return-value): it deletes itself
      return;
    }
  }
  events_->OnNotCompared(route.candidate_responds ? route.responds->id() : route.compared->id(),
                         busy_);
}

}  // namespace hellocnn::server
