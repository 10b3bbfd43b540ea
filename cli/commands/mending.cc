#include "cli/commands/mending.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "cli/images/fit.h"

namespace hellocnn::cli {
namespace {

constexpr std::int64_t kSample = 300;

// Returns how many more images, as a share of `count`, must be right before a mending is believed:
// far more than chance gives. The difference between two shares of `count` images has a standard
// deviation of at most sqrt(0.5 / count).
double NeededGain(std::int64_t count) {
  constexpr double kLeast = 0.2;
  constexpr double kDeviations = 3;
  return std::max(kLeast, kDeviations * std::sqrt(0.5 / static_cast<double>(count)));
}

// Returns at most kSample of the images, spread over all of them.
LabeledImages Sample(const LabeledImages& set) {
  LabeledImages sample{set.rows, set.columns, {}, {}};
  const std::int64_t count = std::min(kSample, set.count());
  const std::ptrdiff_t pixels = std::ptrdiff_t{set.rows} * set.columns;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t index = i * set.count() / count;
    const auto from = set.pixels.begin() + index * pixels;
    sample.pixels.insert(sample.pixels.end(), from, from + pixels);
    sample.labels.push_back(set.labels[static_cast<std::size_t>(index)]);
  }
  return sample;
}

// Returns nullopt if the server does not respond.
std::optional<double> AccuracyOf(const client::Client& client, const LabeledImages& set,
                                 const client::ModelInfo& model, const EvaluationOptions& options) {
  const auto images = Fit(set, model.preprocessing);
  if (!images.ok()) return std::nullopt;
  const auto evaluation = Evaluate(client, *images, set.labels, options, [](std::int64_t) {});
  if (!evaluation.ok()) return std::nullopt;
  return evaluation->accuracy();
}

std::string Flags(const Presentation& mending) {
  if (mending.invert && mending.transpose) return "--invert --transpose";
  if (mending.invert) return "--invert";
  return mending.transpose ? "--transpose" : "neither --invert nor --transpose";
}

}  // namespace

absl::StatusOr<std::vector<client::Image>> Fit(const LabeledImages& set,
                                               const client::Preprocessing& preprocessing) {
  std::vector<client::Image> images;
  images.reserve(set.labels.size());
  const std::ptrdiff_t pixels = std::ptrdiff_t{set.rows} * set.columns;
  for (std::int64_t i = 0; i < set.count(); ++i) {
    const auto from = set.pixels.begin() + i * pixels;
    const absl::StatusOr<std::vector<std::uint8_t>> grey =
        FitGrey(absl::MakeConstSpan(&*from, static_cast<std::size_t>(pixels)), set.columns,
                set.rows, preprocessing);
    if (!grey.ok()) return grey.status();
    absl::StatusOr<client::Image> image = client::Image::Gray8(*grey);
    if (!image.ok()) return image.status();
    images.push_back(*std::move(image));
  }
  return images;
}

std::string FindMending(const client::Client& client, const LabeledImages& set,
                        const client::ModelInfo& model, double accuracy,
                        const Presentation& mending, const EvaluationOptions& options) {
  if (accuracy >= kSuspiciousAccuracy) return "";
  const LabeledImages sample = Sample(set);
  const std::optional<double> as_it_is = AccuracyOf(client, sample, model, options);
  if (!as_it_is.has_value()) return "";
  std::pair<double, Presentation> best = {*as_it_is + NeededGain(sample.count()), mending};
  bool better = false;
  for (const Presentation change :
       {Presentation{true, false}, Presentation{false, true}, Presentation{true, true}}) {
    LabeledImages changed = sample;
    Mend(change, changed);
    const std::optional<double> mended = AccuracyOf(client, changed, model, options);
    if (!mended.has_value() || *mended <= best.first) continue;
    // What was done before and is done again is undone.
    best = {*mended, {mending.invert != change.invert, mending.transpose != change.transpose}};
    better = true;
  }
  if (!better) return "";
  return absl::StrFormat(
      "of %d of these images, %.1f%% are right as they were sent, but %.1f%% with %s",
      sample.count(), 100 * *as_it_is, 100 * best.first, Flags(best.second));
}

void AddMendingOptions(CLI::App& command, Presentation& mending) {
  command.add_flag("--invert", mending.invert,
                   "for dark digits on a light background: exchange black and white");
  command.add_flag("--transpose", mending.transpose,
                   "exchange rows and columns, for files that store columns, as EMNIST's do");
}

}  // namespace hellocnn::cli
