// Events that record their calls, for tests.
#ifndef HELLOCNN_TESTS_TESTING_RECORDING_EVENTS_H_
#define HELLOCNN_TESTS_TESTING_RECORDING_EVENTS_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "server/observability/events.h"

namespace hellocnn::testing {

// Records all calls, and expects the order that Events promises, as far as sums can show it. A
// request ends or is accepted only after it was received, and no image is computed or dropped
// before it was accepted. Pass false for `accepts` if only workers report to it. Thread-safe.
class RecordingEvents : public server::Events {
 public:
  explicit RecordingEvents(bool accepts = true) : accepts_(accepts) {}

  server::MethodId AddMethod(const server::MethodLabels& labels) override {
    MutexLock lock(&mutex_);
    return server::MethodId{IndexOf(labels.method, &methods_)};
  }
  server::ModelId AddModel(const server::ModelLabels& labels) override {
    MutexLock lock(&mutex_);
    return server::ModelId{IndexOf(labels.name + "/" + labels.version, &models_) + 1};
  }
  server::ReasonId AddReason(server::ReasonOf /*what*/, const std::string& label) override {
    MutexLock lock(&mutex_);
    return server::ReasonId{IndexOf(label, &reasons_)};
  }
  bool wants_statistics() const override { return true; }

  void OnReceived(server::MethodId /*method*/, std::size_t bytes) override {
    MutexLock lock(&mutex_);
    ++received_;
    received_bytes_ += bytes;
  }
  void OnAccepted(server::MethodId /*method*/, server::ModelId /*model*/, int images) override {
    MutexLock lock(&mutex_);
    accepted_ += images;
    EXPECT_LE(++accepted_requests_ + rejections_.size(), received_);
  }
  void OnRejected(server::MethodId /*method*/, server::ModelId /*model*/,
                  server::ReasonId reason) override {
    MutexLock lock(&mutex_);
    rejections_.push_back(reasons_.at(static_cast<std::size_t>(reason)));
    EXPECT_LE(accepted_requests_ + rejections_.size(), received_);
    changed_.SignalAll();
  }
  void OnEnd(const server::RequestEnd& end) override {
    MutexLock lock(&mutex_);
    requests_.emplace_back(methods_.at(static_cast<std::size_t>(end.method)), end.code);
    EXPECT_LE(requests_.size(), received_);
    sent_bytes_ += end.sent_bytes;
    sent_images_ += end.sent_images;
    discarded_ += end.discarded_images;
    EXPECT_EQ(end.confidences.size(), static_cast<std::size_t>(end.sent_images));
    confidences_.insert(confidences_.end(), end.confidences.begin(), end.confidences.end());
    changed_.SignalAll();
  }

  void OnBusy(int worker, absl::Duration busy) override {
    EXPECT_GE(worker, 0);
    EXPECT_GE(busy, absl::ZeroDuration());
    MutexLock lock(&mutex_);
    busy_ += busy;
  }
  void OnBatch(const server::BatchEnd& batch) override {
    EXPECT_GE(batch.compute, absl::ZeroDuration());
    MutexLock lock(&mutex_);
    if (batch.spare) {
      spare_ += batch.images;
      return;
    }
    EXPECT_EQ(batch.grey_levels.size(), static_cast<std::size_t>(batch.images));
    compute_ += batch.compute;
    computed_ += batch.images;
    failed_ += batch.failed_images;
    releases_.push_back(reasons_.at(static_cast<std::size_t>(batch.release)));
    waits_.insert(waits_.end(), batch.queue_waits.begin(), batch.queue_waits.end());
    grey_levels_.insert(grey_levels_.end(), batch.grey_levels.begin(), batch.grey_levels.end());
    CheckThatTheyWereAccepted();
  }
  void OnDropped(server::ModelId /*model*/, int images, server::ReasonId reason,
                 std::optional<absl::Duration> waited) override {
    MutexLock lock(&mutex_);
    drops_.emplace_back(reasons_.at(static_cast<std::size_t>(reason)), images);
    dropped_ += images;
    if (waited.has_value()) waits_.push_back(*waited);
    CheckThatTheyWereAccepted();
    changed_.SignalAll();
  }
  void OnDiscarded(server::ModelId /*model*/, int images) override {
    MutexLock lock(&mutex_);
    discarded_ += images;
  }
  void OnCandidate(server::ModelId model, const std::string& mode, double share) override {
    MutexLock lock(&mutex_);
    candidates_.push_back(models_.at(static_cast<std::size_t>(model) - 1) + " " + mode + " " +
                          std::to_string(share));
  }
  void OnCompared(const server::ComparisonEnd& comparison) override {
    MutexLock lock(&mutex_);
    comparisons_.push_back({comparison, {comparison.images.begin(), comparison.images.end()}});
    comparisons_.back().first.images = {};
    changed_.SignalAll();
  }
  void OnNotCompared(server::ModelId /*candidate*/, server::ReasonId reason) override {
    MutexLock lock(&mutex_);
    skips_.push_back(reasons_.at(static_cast<std::size_t>(reason)));
    changed_.SignalAll();
  }
  void OnLimit(server::ReasonId reason) override {
    MutexLock lock(&mutex_);
    limits_.push_back(reasons_.at(static_cast<std::size_t>(reason)));
  }
  void OnModelLoaded(server::ModelId /*model*/, absl::Duration load) override {
    MutexLock lock(&mutex_);
    load_ = load;
  }
  void OnModelUnloaded(server::ModelId model) override {
    MutexLock lock(&mutex_);
    unloaded_.push_back(models_.at(static_cast<std::size_t>(model) - 1));
  }
  void OnVersions(int serving, int failed) override {
    MutexLock lock(&mutex_);
    versions_ = {serving, failed};
  }

  // Blocks until every request that was received has ended. Clients may get their responses
  // earlier.
  void WaitUntilIdle() {
    MutexLock lock(&mutex_);
    while (requests_.size() < received_) changed_.Wait(&mutex_);
  }
  void WaitUntilDropped(int images) {
    MutexLock lock(&mutex_);
    while (dropped_ < images) changed_.Wait(&mutex_);
  }
  void WaitUntilRejected(std::size_t requests) {
    MutexLock lock(&mutex_);
    while (rejections_.size() < requests) changed_.Wait(&mutex_);
  }

  // Returns the method and the code of each ended request, in the order in which they ended.
  std::vector<std::pair<std::string, absl::StatusCode>> requests() const { return Get(requests_); }
  std::vector<std::string> rejections() const { return Get(rejections_); }
  std::size_t received() const { return Get(received_); }
  std::size_t received_bytes() const { return Get(received_bytes_); }
  std::size_t sent_bytes() const { return Get(sent_bytes_); }
  std::vector<server::Confidence> confidences() const { return Get(confidences_); }
  std::vector<std::string> models() const { return Get(models_); }
  std::vector<std::string> releases() const { return Get(releases_); }
  std::vector<std::string> limits() const { return Get(limits_); }
  // "name/version mode share" of each call.
  std::vector<std::string> candidates() const { return Get(candidates_); }
  // Without their images, and the images.
  using Comparison = std::pair<server::ComparisonEnd, std::vector<server::Difference>>;
  std::vector<Comparison> comparisons() const { return Get(comparisons_); }
  std::vector<std::string> skips() const { return Get(skips_); }
  // Blocks until so many requests were compared, or were not although they were to be.
  void WaitUntilCompared(std::size_t requests) {
    MutexLock lock(&mutex_);
    while (comparisons_.size() + skips_.size() < requests) changed_.Wait(&mutex_);
  }
  std::vector<absl::Duration> waits() const { return Get(waits_); }
  std::vector<server::GreyLevels> grey_levels() const { return Get(grey_levels_); }
  std::optional<absl::Duration> load() const { return Get(load_); }
  // "name/version" of each model that was unloaded, in that order.
  std::vector<std::string> unloaded() const { return Get(unloaded_); }
  // The numbers of versions that serve and that have failed.
  std::pair<int, int> versions() const { return Get(versions_); }
  absl::Duration busy() const { return Get(busy_); }
  absl::Duration compute() const { return Get(compute_); }
  // The following functions return numbers of images.
  int accepted() const { return Get(accepted_); }
  int sent_images() const { return Get(sent_images_); }
  int computed() const { return Get(computed_); }  // in batches, also if the engine failed
  int spare() const { return Get(spare_); }        // the same, only to be compared
  int failed() const { return Get(failed_); }
  int discarded() const { return Get(discarded_); }
  int dropped() const { return Get(dropped_); }
  int dropped(const std::string& reason) const {
    MutexLock lock(&mutex_);
    int images = 0;
    for (const auto& [why, count] : drops_) images += why == reason ? count : 0;
    return images;
  }

 private:
  static std::size_t IndexOf(const std::string& label, std::vector<std::string>* known) {
    const auto found = std::find(known->begin(), known->end(), label);
    if (found != known->end()) return static_cast<std::size_t>(found - known->begin());
    known->push_back(label);
    return known->size() - 1;
  }
  void CheckThatTheyWereAccepted() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    EXPECT_TRUE(!accepts_ || computed_ + dropped_ <= accepted_);
  }
  template <typename Value>
  Value Get(const Value& value) const {
    MutexLock lock(&mutex_);
    return value;
  }

  const bool accepts_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> methods_, models_, reasons_;
  std::vector<std::pair<std::string, absl::StatusCode>> requests_;
  std::vector<std::string> rejections_, releases_, limits_, candidates_, skips_;
  std::vector<Comparison> comparisons_;
  std::vector<std::pair<std::string, int>> drops_;
  std::vector<server::Confidence> confidences_;
  std::vector<server::GreyLevels> grey_levels_;
  std::vector<absl::Duration> waits_;
  std::optional<absl::Duration> load_;
  std::vector<std::string> unloaded_;
  std::pair<int, int> versions_;
  absl::Duration busy_, compute_;
  std::size_t received_ = 0, accepted_requests_ = 0, received_bytes_ = 0, sent_bytes_ = 0;
  int accepted_ = 0, sent_images_ = 0, computed_ = 0, failed_ = 0, discarded_ = 0, dropped_ = 0;
  int spare_ = 0;
};

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_RECORDING_EVENTS_H_
