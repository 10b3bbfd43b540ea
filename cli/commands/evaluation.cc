#include "cli/commands/evaluation.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/types/span.h"

namespace hellocnn::cli {
namespace {

// One call's worth of images, and when it may be sent.
struct Chunk {
  std::size_t begin;
  std::size_t size;
  int attempts = 0;
  absl::Time not_before = absl::InfinitePast();
};

struct Completion {
  Chunk chunk;
  absl::StatusOr<client::ClassifyResult> result;
};

// From gRPC's threads to the one that evaluates. Shared with the callbacks, so that the last of
// them may still be leaving the lock when the evaluation is over.
class Completions {
 public:
  void Push(Completion completion) {
    absl::MutexLock lock(&mutex_);
    completions_.push_back(std::move(completion));
  }

  // Blocks until there is one, or until `deadline`: then empty.
  std::deque<Completion> Take(absl::Time deadline) {
    absl::MutexLock lock(&mutex_);
    const auto any = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !completions_.empty(); };
    mutex_.AwaitWithDeadline(absl::Condition(&any), deadline);
    return std::exchange(completions_, {});
  }

 private:
  absl::Mutex mutex_;
  std::deque<Completion> completions_ ABSL_GUARDED_BY(mutex_);
};

void Count(const client::ClassifyResult& result, absl::Span<const std::uint8_t> labels,
           Evaluation& evaluation) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const int said = result.predictions[i].class_index;
    ++evaluation.images;
    evaluation.correct += said == labels[i] ? 1 : 0;
    ++evaluation.confusion[labels[i]][said];
  }
}

}  // namespace

absl::StatusOr<Evaluation> Evaluate(const client::Client& client,
                                    const std::vector<client::Image>& images,
                                    const std::vector<std::uint8_t>& labels,
                                    const EvaluationOptions& options, const Progress& progress) {
  std::deque<Chunk> waiting;
  for (std::size_t begin = 0; begin < images.size(); begin += options.batch) {
    waiting.push_back({begin, std::min<std::size_t>(options.batch, images.size() - begin)});
  }
  const auto completions = std::make_shared<Completions>();
  const absl::Time start = absl::Now();
  Evaluation evaluation;
  absl::Status failure;
  int in_flight = 0;
  while (in_flight > 0 || (failure.ok() && !waiting.empty())) {
    // Those that must pause go to the back; it is enough to look at the front, since pauses are
    // short.
    while (failure.ok() && !waiting.empty() && in_flight < options.concurrency &&
           waiting.front().not_before <= absl::Now()) {
      const Chunk chunk = waiting.front();
      waiting.pop_front();
      ++in_flight;
      client.ClassifyAsync(absl::MakeConstSpan(images).subspan(chunk.begin, chunk.size), {},
                           [completions, chunk](absl::StatusOr<client::ClassifyResult> result) {
                             completions->Push({chunk, std::move(result)});
                           });
    }
    const bool pausing = failure.ok() && !waiting.empty() && in_flight < options.concurrency;
    for (Completion& done :
         completions->Take(pausing ? waiting.front().not_before : absl::InfiniteFuture())) {
      --in_flight;
      Chunk& chunk = done.chunk;
      if (done.result.ok()) {
        Count(*done.result, absl::MakeConstSpan(labels).subspan(chunk.begin, chunk.size),
              evaluation);
        progress(evaluation.images);
      } else if (done.result.status().code() == absl::StatusCode::kResourceExhausted &&
                 ++chunk.attempts < options.most_attempts) {
        ++evaluation.retries;
        const absl::Duration pause =
            options.first_pause * (std::int64_t{1} << std::min(chunk.attempts - 1, 20));
        chunk.not_before = absl::Now() + std::min(pause, options.longest_pause);
        waiting.push_back(chunk);
      } else if (failure.ok()) {
        failure = done.result.status();
      }
    }
  }
  if (!failure.ok()) return failure;
  evaluation.elapsed = absl::Now() - start;
  return evaluation;
}

}  // namespace hellocnn::cli
