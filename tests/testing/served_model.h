// One served model with the engines of a factory, as in a server but without any files.
#ifndef HELLOCNN_TESTS_TESTING_SERVED_MODEL_H_
#define HELLOCNN_TESTS_TESTING_SERVED_MODEL_H_

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "hellocnn/engine.h"
#include "server/runtime/event_queue.h"
#include "server/serving/batch_dispatcher.h"
#include "server/serving/model_registry.h"
#include "server/serving/servable.h"
#include "tests/testing/model_card.h"

namespace hellocnn::testing {

// A dispatcher with one model. Thread-safe.
class ServedModel {
 public:
  // Starts workers that handle `events`, which must outlive this object. Returns the errors of the
  // factory, of BatchDispatcher::Start and of AddQueue.
  static absl::StatusOr<std::unique_ptr<ServedModel>> Start(
      int threads, const server::BatchQueue::Options& options, const EngineFactory& factory,
      server::EventQueue* events, const server::Reporting& reporting = {}) {
    auto dispatcher = server::BatchDispatcher::Start(threads, options.max_batch_size,
                                                     reporting.events, Clock::Monotonic());
    if (!dispatcher.ok()) return dispatcher.status();
    std::unique_ptr<ServedModel> model(new ServedModel(*std::move(dispatcher)));
    std::vector<std::unique_ptr<Engine>> engines;
    for (int worker = 0; worker < threads; ++worker) {
      auto engine = factory();
      if (!engine.ok()) return engine.status();
      engines.push_back(*std::move(engine));
    }
    auto queue = model->dispatcher_->AddQueue(options, reporting.model);
    if (!queue.ok()) return queue.status();
    model->queue_ = *queue;
    model->dispatcher_->pool().ForEachWorker([&](int worker) {
      model->dispatcher_->executor(worker).SetEngine(
          *queue, std::move(engines[static_cast<std::size_t>(worker)]), reporting);
      return false;
    });
    const absl::Status published = model->registry_.Publish(std::make_shared<server::Servable>(
        DigitsCard(), "fake", reporting.model, model->dispatcher_.get(), *queue));
    if (!published.ok()) return published;
    model->dispatcher_->pool().Attach(events);
    return model;
  }

  absl::Status Submit(server::Job* job) { return dispatcher_->Submit(queue_, job); }
  void Drain() { dispatcher_->Stop(); }
  int queued_images() const { return dispatcher_->queued_images(); }

  server::BatchDispatcher& dispatcher() { return *dispatcher_; }
  server::ModelRegistry& registry() { return registry_; }

 private:
  explicit ServedModel(std::unique_ptr<server::BatchDispatcher> dispatcher)
      : dispatcher_(std::move(dispatcher)) {}

  server::ModelRegistry registry_;
  std::unique_ptr<server::BatchDispatcher> dispatcher_;
  server::BatchQueue* queue_ = nullptr;
};

}  // namespace hellocnn::testing

#endif  // HELLOCNN_TESTS_TESTING_SERVED_MODEL_H_
