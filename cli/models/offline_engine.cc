#include "cli/models/offline_engine.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "hellocnn/engine_agreement.h"
#include "hellocnn/prediction.h"
#include "hellocnn/reference/reference_engine.h"
#include "hellocnn/simd/simd_engine.h"
#include "hellocnn/topology.h"
#include "hellocnn/weight_bounds.h"

namespace hellocnn::cli {
namespace {

// Takes the rows of the images from `first` on: [count, classes].
using RowsTaker = std::function<void(std::size_t first, std::span<const float> rows)>;

// Lets an engine classify images in batches.
absl::Status ClassifyInBatches(const EngineFactory& factory, const std::vector<std::uint8_t>& grey,
                               const RowsTaker& take) {
  const absl::StatusOr<std::unique_ptr<Engine>> engine = factory();
  if (!engine.ok()) return engine.status();
  const auto classes = static_cast<std::size_t>((*engine)->classes());
  const std::size_t images = grey.size() / kImagePixels;
  std::vector<ImageView> views;
  std::vector<float> rows(kOfflineBatch * classes);
  std::vector<absl::Status> statuses(kOfflineBatch);
  for (std::size_t first = 0; first < images; first += views.size()) {
    const std::size_t count = std::min<std::size_t>(kOfflineBatch, images - first);
    views.clear();
    for (std::size_t i = first; i < first + count; ++i) {
      views.push_back({PixelFormat::kGray8,
                       reinterpret_cast<const std::byte*>(grey.data() + i * kImagePixels)});
    }
    const std::span<float> batch = std::span(rows).first(count * classes);
    (*engine)->Classify(views, batch, std::span(statuses).first(count));
    for (std::size_t i = 0; i < count; ++i) {
      if (statuses[i].ok()) continue;
      return absl::Status(statuses[i].code(),
                          absl::StrCat("image ", first + i, ": ", statuses[i].message()));
    }
    take(first, batch);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OfflineEngines> VerifyEngines(const Weights& weights,
                                             const Normalization& normalization) {
  if (absl::Status status = CheckStaysFinite(weights, normalization); !status.ok()) return status;
  absl::StatusOr<EngineFactory> fast = SimdEngineFactory(weights, normalization, kOfflineBatch);
  if (!fast.ok()) return fast.status();
  EngineFactory reference = ReferenceEngineFactory(weights, normalization);
  const absl::StatusOr<std::unique_ptr<Engine>> slow_engine = reference();
  if (!slow_engine.ok()) return slow_engine.status();
  const absl::StatusOr<ReferenceResults> wanted = ReferenceResults::Compute(**slow_engine);
  if (!wanted.ok()) return wanted.status();
  const absl::StatusOr<std::unique_ptr<Engine>> fast_engine = (*fast)();
  if (!fast_engine.ok()) return fast_engine.status();
  if (absl::Status agrees = wanted->Check(**fast_engine, kOfflineBatch); !agrees.ok()) {
    return absl::Status(agrees.code(), absl::StrCat("engine simd: ", agrees.message()));
  }
  return OfflineEngines{*std::move(fast), std::move(reference), wanted->OnlyClass()};
}

absl::StatusOr<std::vector<int>> ClassifyAll(const OfflineEngines& engines,
                                             const std::vector<std::uint8_t>& grey,
                                             const Progress& progress) {
  const std::size_t images = grey.size() / kImagePixels;
  std::vector<int> classes;
  classes.reserve(images);
  absl::Status status =
      ClassifyInBatches(engines.fast, grey, [&](std::size_t first, std::span<const float> rows) {
        const std::size_t count = std::min<std::size_t>(kOfflineBatch, images - first);
        const std::size_t columns = rows.size() / count;
        for (std::size_t i = 0; i < count; ++i) {
          classes.push_back(MostLikelyClass(rows.subspan(i * columns, columns)));
        }
        progress(static_cast<std::int64_t>(classes.size()));
      });
  if (!status.ok()) return status;
  return classes;
}

absl::StatusOr<std::vector<std::vector<double>>> ReferenceLogProbabilities(
    const OfflineEngines& engines, const std::vector<std::uint8_t>& grey) {
  const std::size_t images = grey.size() / kImagePixels;
  std::vector<std::vector<double>> all;
  absl::Status status = ClassifyInBatches(
      engines.reference, grey, [&](std::size_t first, std::span<const float> rows) {
        const std::size_t count = std::min<std::size_t>(kOfflineBatch, images - first);
        const std::size_t columns = rows.size() / count;
        for (std::size_t i = 0; i < count; ++i) {
          const std::span<const float> row = rows.subspan(i * columns, columns);
          all.emplace_back(row.begin(), row.end());
        }
      });
  if (!status.ok()) return status;
  return all;
}

}  // namespace hellocnn::cli
