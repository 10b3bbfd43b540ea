#include "server/serving/batch_reporter.h"

#include <cstddef>
#include <span>

#include "server/serving/grey_levels.h"

namespace hellocnn::server {
namespace {

constexpr std::array kReleaseLabels = {"full", "idle", "delay", "drain"};
static_assert(static_cast<std::size_t>(Release::kDrain) == kReleaseLabels.size() - 1);

}  // namespace

BatchReporter::BatchReporter(const Reporting& reporting) : reporting_(reporting) {
  for (std::size_t i = 0; i < releases_.size(); ++i) {
    releases_[i] = reporting_.events->AddReason(ReasonOf::kRelease, kReleaseLabels[i]);
  }
  deadline_ = reporting_.events->AddReason(ReasonOf::kDrop, "deadline");
  cancelled_ = reporting_.events->AddReason(ReasonOf::kDrop, "cancelled");
  displaced_ = reporting_.events->AddReason(ReasonOf::kDrop, "displaced");
  failed_ = reporting_.events->AddReason(ReasonOf::kDrop, "failed");
}

void BatchReporter::OnBatch(const BatchQueue::Taken& batch, absl::Duration compute) {
  const bool measure = reporting_.events->wants_statistics();
  waits_.clear();
  grey_levels_.clear();
  int failed = 0;
  for (const Slice& slice : batch.slices) {
    if (!slice.computed()) failed += slice.count;
    if (slice.first == 0) waits_.push_back(slice.job->timing().queue);
    if (!measure) continue;
    const std::span images = slice.job->images().subspan(static_cast<std::size_t>(slice.first),
                                                         static_cast<std::size_t>(slice.count));
    for (const ImageView& image : images) {
      grey_levels_.push_back(MeasureGreyLevels(image, reporting_.normalization));
    }
  }
  reporting_.events->OnBatch({.model = reporting_.model,
                              .images = batch.images,
                              .failed_images = failed,
                              .release = releases_[static_cast<std::size_t>(batch.reason)],
                              .compute = compute,
                              .queue_waits = waits_,
                              .grey_levels = grey_levels_});
}

void BatchReporter::OnSpareBatch(const BatchQueue::Taken& batch, absl::Duration compute) const {
  reporting_.events->OnBatch({.model = reporting_.model,
                              .images = batch.images,
                              .release = releases_[static_cast<std::size_t>(batch.reason)],
                              .compute = compute,
                              .spare = true});
}

void BatchReporter::OnDropped(const BatchQueue::Dropped& dropped) const {
  ReasonId reason = failed_;
  if (dropped.reason == absl::StatusCode::kDeadlineExceeded) reason = deadline_;
  if (dropped.reason == absl::StatusCode::kCancelled) reason = cancelled_;
  if (dropped.reason == absl::StatusCode::kResourceExhausted) reason = displaced_;
  reporting_.events->OnDropped(reporting_.model, dropped.images, reason, dropped.waited);
}

}  // namespace hellocnn::server
