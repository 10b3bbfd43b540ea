#include "cli/commands/evaluation.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/shown.h"

namespace hellocnn::cli {
namespace {

// The images of one call, and when it may be sent.
struct Chunk {
  std::size_t begin;
  std::size_t size;
  int attempts = 0;
  Instant not_before = Instant::InfinitePast();
};

// A call that has ended.
struct EndedCall {
  Chunk chunk;
  absl::StatusOr<client::ClassifyResult> result;
};

// Passes ended calls from gRPC's threads to the evaluating thread. Callbacks share ownership: the
// last one may still be releasing the lock when the evaluation is over.
class EndedCalls {
 public:
  void Push(EndedCall call) {
    const MutexLock lock(&mutex_);
    calls_.push_back(std::move(call));
    pushed_.Signal();
  }

  // Blocks until at least one call has ended, and returns all that have. Returns none if `deadline`
  // comes first.
  std::deque<EndedCall> Take(Instant deadline) {
    const MutexLock lock(&mutex_);
    while (calls_.empty() && !pushed_.WaitUntil(&mutex_, deadline)) {
    }
    return std::exchange(calls_, {});
  }

 private:
  Mutex mutex_;
  CondVar pushed_;
  std::deque<EndedCall> calls_ ABSL_GUARDED_BY(mutex_);
};

// All results must be of one version of one model: an accuracy of two is that of none.
absl::Status CheckModel(const client::ClassifyResult& result, client::ModelVersion& model) {
  const client::ModelVersion found{result.model_name, result.model_version};
  if (model.name.empty() && model.version.empty()) model = found;
  if (model.name == found.name && model.version == found.version) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "the answers are of model ", Shown(model.name), ", version ", Shown(model.version),
      ", and of model ", Shown(found.name), ", version ", Shown(found.version),
      "; evaluate again, or name one with --model and --model-version"));
}

// Counts the images of one call, of which `begin` is the index of the first.
absl::Status Count(const client::ClassifyResult& result, std::size_t begin,
                   absl::Span<const int> labels, Evaluation& evaluation) {
  const std::size_t classes = result.predictions[0].log_probabilities.size();
  if (classes != evaluation.confusion.size()) {
    return absl::FailedPreconditionError(absl::StrCat("the server's model has changed from ",
                                                      evaluation.confusion.size(), " classes to ",
                                                      classes, "; evaluate again"));
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const int said = result.predictions[i].class_index;
    ++evaluation.images;
    evaluation.correct += said == labels[i] ? 1 : 0;
    ++evaluation.confusion[labels[i]][said];
    evaluation.classes[begin + i] = said;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Evaluation> Evaluate(const client::Client& client,
                                    const std::vector<client::Image>& images,
                                    const std::vector<int>& labels,
                                    const EvaluationOptions& options, const Progress& progress) {
  const auto label = std::find_if(labels.begin(), labels.end(),
                                  [&](int value) { return value < 0 || value >= options.classes; });
  if (label != labels.end()) {
    return absl::InvalidArgumentError(absl::StrCat("label ", label - labels.begin(), " is ", *label,
                                                   "; the model has ", options.classes,
                                                   " classes, counted from 0"));
  }
  std::deque<Chunk> waiting;
  for (std::size_t begin = 0; begin < images.size(); begin += options.batch) {
    waiting.push_back({begin, std::min<std::size_t>(options.batch, images.size() - begin)});
  }
  const auto ended_calls = std::make_shared<EndedCalls>();
  const Clock& clock = *Clock::Monotonic();
  const Instant start = clock.Now();
  Evaluation evaluation;
  evaluation.confusion.assign(options.classes, std::vector<std::int64_t>(options.classes));
  evaluation.classes.resize(images.size());
  absl::Status failure;
  client::ModelVersion model;  // that answers
  int in_flight = 0;
  while (in_flight > 0 || (failure.ok() && !waiting.empty())) {
    // Chunks that back off go to the back. Looking at the front is enough, since backoffs are
    // short.
    while (failure.ok() && !waiting.empty() && in_flight < options.concurrency &&
           waiting.front().not_before <= clock.Now()) {
      const Chunk chunk = waiting.front();
      waiting.pop_front();
      ++in_flight;
      client.ClassifyAsync(absl::MakeConstSpan(images).subspan(chunk.begin, chunk.size),
                           {.model = options.model},
                           [ended_calls, chunk](absl::StatusOr<client::ClassifyResult> result) {
                             ended_calls->Push({chunk, std::move(result)});
                           });
    }
    const bool pausing = failure.ok() && !waiting.empty() && in_flight < options.concurrency;
    const Instant until = pausing ? waiting.front().not_before : Instant::InfiniteFuture();
    for (EndedCall& ended : ended_calls->Take(until)) {
      --in_flight;
      Chunk& chunk = ended.chunk;
      if (ended.result.ok()) {
        absl::Status counted = CheckModel(*ended.result, model);
        if (counted.ok()) {
          counted = Count(*ended.result, chunk.begin,
                          absl::MakeConstSpan(labels).subspan(chunk.begin, chunk.size), evaluation);
        }
        failure.Update(counted);
        progress(evaluation.images);
      } else if (ended.result.status().code() == absl::StatusCode::kResourceExhausted &&
                 ++chunk.attempts < options.backoff.most_attempts) {
        ++evaluation.retries;
        chunk.not_before = clock.Now() + options.backoff.After(chunk.attempts);
        waiting.push_back(chunk);
      } else if (failure.ok()) {
        failure = ended.result.status();
      }
    }
  }
  if (!failure.ok()) return failure;
  evaluation.elapsed = clock.Now() - start;
  return evaluation;
}

}  // namespace hellocnn::cli
