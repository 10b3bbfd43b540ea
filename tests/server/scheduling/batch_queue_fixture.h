// The queue under a clock that is a plain value, for its tests.
#ifndef HELLOCNN_TESTS_SERVER_SCHEDULING_BATCH_QUEUE_FIXTURE_H_
#define HELLOCNN_TESTS_SERVER_SCHEDULING_BATCH_QUEUE_FIXTURE_H_

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "gtest/gtest.h"
#include "server/scheduling/batch_queue.h"
#include "tests/testing/fake_engine.h"

namespace hellocnn::server {

// How a job was done.
struct Outcome {
  absl::Status status;
  std::vector<float> log_probabilities;  // [images, classes]
  JobTiming timing;
};

// The queue under a clock that is a plain value. Jobs have names; a slice shows as
// "name[first..end)".
class BatchQueueTest : public ::testing::Test {
 protected:
  BatchQueueTest() { Make({.max_batch_size = 4, .capacity = 10}); }

  void Make(const BatchQueue::Options& options) { queue_.emplace(options); }

  struct Named : Job {
    Named(int count, Instant deadline, const Origin& from)
        : pixels(static_cast<std::size_t>(count), {PixelFormat::kGray8, nullptr}),
          answers(pixels.size() * hellocnn::testing::kFakeClasses) {
      Prepare(pixels, answers, deadline, from);
    }
    void OnFinished() override {
      outcomes.push_back({status(), status().ok() ? answers : std::vector<float>(), timing()});
    }
    std::vector<ImageView> pixels;
    std::vector<float> answers;     // [images, classes]
    std::vector<Outcome> outcomes;  // how often it was done, and how
    absl::Status pushed;
  };

  // Pushes a job whose image i has the first pixel 10 * index of the job + i.
  Named& Push(int images, Instant deadline = Instant::InfiniteFuture(), const Origin& origin = {}) {
    Named& named = *jobs_.emplace_back(std::make_unique<Named>(images, deadline, origin));
    named.pushed = queue_->Push(&named, now_);
    return named;
  }

  BatchQueue::Taken Take() {
    BatchQueue::Taken taken = queue_->Take(now_, {});
    for (const BatchQueue::Dropped& dropped : taken.dropped) {
      if (dropped.finished != nullptr) dropped.finished->OnFinished();
    }
    return taken;
  }

  std::vector<std::string> Shown(const BatchQueue::Taken& taken) const {
    std::vector<std::string> shown;
    int images = 0;
    for (const Slice& slice : taken.slices) {
      std::size_t index = 0;
      while (jobs_[index].get() != slice.job) ++index;
      shown.push_back(std::string(1, static_cast<char>('a' + index)) + "[" +
                      std::to_string(slice.first) + ".." +
                      std::to_string(slice.first + slice.count) + ")");
      images += slice.count;
    }
    EXPECT_EQ(images, taken.images);
    return shown;
  }

  // All slices have that status.
  void Finish(BatchQueue::Taken batch, const absl::Status& status = absl::OkStatus()) {
    for (Slice& slice : batch.slices) {
      slice.status = status;
      for (int i = 0; i < slice.count; ++i) {
        const auto row = hellocnn::testing::FakeRow(slice.first + i);
        const std::size_t at = static_cast<std::size_t>(slice.first + i) * row.size();
        std::copy(row.begin(), row.end(), slice.job->log_probabilities().subspan(at).begin());
      }
    }
    const BatchQueue::Finished finished = queue_->Finish(batch, now_, {});
    dropped_by_failure_ = finished.dropped;
    for (Job* job : finished.jobs) job->OnFinished();
  }

  std::optional<BatchQueue> queue_;
  Instant now_ = Instant() + absl::Seconds(1'000'000);
  std::vector<std::unique_ptr<Named>> jobs_;
  std::vector<BatchQueue::Dropped> dropped_by_failure_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_TESTS_SERVER_SCHEDULING_BATCH_QUEUE_FIXTURE_H_
