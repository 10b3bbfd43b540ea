#include "cli/commands/classification.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "cli/commands/full_queue.h"

namespace hellocnn::cli {
namespace {

// A batch also ends when its files have this many bytes, so that memory stays bounded.
constexpr std::size_t kMaxBatchBytes = std::size_t{8} << 20;
// Batches that may be read and not handed over yet, for each worker.
constexpr std::int64_t kBatchesAWorker = 2;
// The longest time in which a worker that waits for names does not notice the end.
constexpr absl::Duration kNap = absl::Milliseconds(50);

using Batch = std::vector<ImageResult>;

// Returns true for errors of the server as a whole, after which further calls are in vain.
bool IsFatal(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsNotFound(status) || absl::IsUnauthenticated(status) ||
         absl::IsUnimplemented(status);
}

class Classification {
 public:
  Classification(const client::Client& client, const client::ModelInfo& model, ImageSource& source,
                 const ClassificationOptions& options)
      : client_(client), model_(model), options_(options), source_(source) {}

  absl::Status Run(const Receive& receive) {
    std::vector<std::thread> workers;
    workers.reserve(options_.workers);
    try {
      for (int i = 0; i < options_.workers; ++i) workers.emplace_back([this] { Work(); });
    } catch (const std::system_error& error) {
      // With fewer threads it takes longer.
      if (workers.empty()) {
        return absl::ResourceExhaustedError(
            absl::StrCat("no thread can be started to classify images: ", error.what()));
      }
    }
    bool wanted = true;
    while (std::optional<Batch> batch = NextDone()) {
      wanted = wanted && receive(*batch);
      if (!wanted) Stop();
    }
    for (std::thread& worker : workers) worker.join();
    const MutexLock lock(&mutex_);
    return status_;
  }

 private:
  void Work() {
    std::int64_t number = 0;
    while (std::optional<Batch> batch = Read(number)) {
      Classify(*batch);
      const MutexLock lock(&mutex_);
      done_[number] = *std::move(batch);
      changed_.SignalAll();
    }
  }

  // Returns the next batch with the bytes of its files, and sets `number` to its place. Returns
  // nullopt at the end. Waits until not too many batches are under way, and for the first image.
  std::optional<Batch> Read(std::int64_t& number) {
    const MutexLock reading(&source_mutex_);
    do {
      const MutexLock lock(&mutex_);
      while (!HasRoom()) changed_.Wait(&mutex_);
      if (ended_) return std::nullopt;
    } while (!source_.Ready(kNap));
    Batch batch;
    std::size_t bytes = 0;
    const auto most = static_cast<std::size_t>(
        std::clamp(model_.limits.max_images_per_request, 1, options_.batch));
    bool is_last = false;
    do {
      std::optional<SourceImage> image = source_.Next();
      is_last = !image.has_value();
      if (is_last) break;
      bytes += image->bytes.size();
      batch.emplace_back();
      batch.back().status = image->status;
      batch.back().source = *std::move(image);
    } while (batch.size() < most && bytes < kMaxBatchBytes && source_.Ready(absl::ZeroDuration()));
    const MutexLock lock(&mutex_);
    if (ended_) return std::nullopt;  // by another worker, while this one read
    if (is_last) End();
    if (batch.empty()) return std::nullopt;
    number = read_++;
    return batch;
  }

  void Classify(Batch& batch) {
    std::vector<client::Image> images;
    std::vector<ImageResult*> results;
    for (ImageResult& result : batch) {
      if (!result.status.ok()) continue;
      absl::StatusOr<FittedImage> fitted =
          FitImage(result.source, model_.preprocessing, options_.fit);
      result.source.bytes.clear();
      result.source.bytes.shrink_to_fit();
      result.status = fitted.status();
      if (!fitted.ok()) continue;
      result.fitted = *std::move(fitted);
      if (result.fitted.finding != client::Finding::kDigit) continue;
      images.push_back(*result.fitted.image);
      results.push_back(&result);
    }
    if (images.empty()) return;
    const Instant start = Clock::Monotonic()->Now();
    absl::StatusOr<client::ClassifyResult> answer = Send(images);
    const absl::Duration took = Clock::Monotonic()->Now() - start;
    for (std::size_t i = 0; i < results.size(); ++i) {
      results[i]->status = answer.status();
      if (!answer.ok()) continue;
      results[i]->prediction = std::move(answer->predictions[i]);
      results[i]->timing = answer->timing;
      results[i]->took = took;
    }
    if (IsFatal(answer.status())) {
      const MutexLock lock(&mutex_);
      status_.Update(answer.status());
      End();
    }
  }

  absl::StatusOr<client::ClassifyResult> Send(const std::vector<client::Image>& images) {
    constexpr FullQueueBackoff kBackoff;
    for (int attempt = 1;; ++attempt) {
      absl::StatusOr<client::ClassifyResult> answer =
          client_.Classify(images, {.model = options_.model});
      if (absl::IsResourceExhausted(answer.status()) && attempt < kBackoff.most_attempts) {
        absl::SleepFor(kBackoff.After(attempt));
        continue;
      }
      if (!answer.ok()) return answer;
      const std::size_t classes = answer->predictions[0].log_probabilities.size();
      if (classes == model_.labels.size()) return answer;
      return absl::FailedPreconditionError(absl::StrCat("the server's model has changed from ",
                                                        model_.labels.size(), " classes to ",
                                                        classes, "; retry"));
    }
  }

  // Returns the next batch in order. Waits for it. Returns nullopt when there are no more.
  std::optional<Batch> NextDone() {
    const MutexLock lock(&mutex_);
    while (!HasNext()) changed_.Wait(&mutex_);
    const auto next = done_.find(handed_over_);
    if (next == done_.end()) return std::nullopt;
    Batch batch = std::move(next->second);
    done_.erase(next);
    ++handed_over_;
    changed_.SignalAll();
    return batch;
  }

  void Stop() {
    const MutexLock lock(&mutex_);
    End();
  }

  void End() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ended_ = true;
    changed_.SignalAll();
  }

  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ended_ || read_ - handed_over_ < options_.workers * kBatchesAWorker;
  }
  bool HasNext() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return done_.contains(handed_over_) || (ended_ && handed_over_ == read_);
  }

  const client::Client& client_;
  const client::ModelInfo& model_;
  const ClassificationOptions& options_;

  Mutex source_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  ImageSource& source_ ABSL_GUARDED_BY(source_mutex_);

  Mutex mutex_;
  CondVar changed_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;                  // nothing more is read
  std::int64_t read_ ABSL_GUARDED_BY(mutex_) = 0;               // batches
  std::int64_t handed_over_ ABSL_GUARDED_BY(mutex_) = 0;        // batches
  std::map<std::int64_t, Batch> done_ ABSL_GUARDED_BY(mutex_);  // by place, not handed over yet
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::Status ClassifyAll(const client::Client& client, const client::ModelInfo& model,
                         ImageSource& source, const ClassificationOptions& options,
                         const Receive& receive) {
  return Classification(client, model, source, options).Run(receive);
}

}  // namespace hellocnn::cli
