// A model that is ready to serve.
#ifndef HELLOCNN_SERVER_SERVING_SERVABLE_H_
#define HELLOCNN_SERVER_SERVING_SERVABLE_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "hellocnn/model_card.h"
#include "hellocnn/weights.h"
#include "server/observability/events.h"
#include "server/scheduling/job.h"
#include "server/serving/batch_dispatcher.h"

namespace hellocnn::server {

// One version of one model: its identity, its inputs and outputs, and the queue that feeds its
// engines, one on each worker. ModelLoader makes it once the model is verified and warmed up.
//
// Immutable; thread-safe.
class Servable {
 public:
  // `queue` is a queue of `dispatcher`, whose workers have engines for it. Both outlive
  // every Submit.
  Servable(ModelCard card, std::string engine, ModelId id, BatchDispatcher* dispatcher,
           BatchQueue* queue, std::string content = "",
           std::shared_ptr<const Weights> weights = nullptr)
      : card_(std::move(card)),
        engine_(std::move(engine)),
        id_(id),
        content_(std::move(content)),
        weights_(std::move(weights)),
        dispatcher_(dispatcher),
        queue_(queue) {}
  Servable(const Servable&) = delete;
  Servable& operator=(const Servable&) = delete;

  const std::string& name() const { return card_.name; }
  const std::string& version() const { return card_.version; }
  // Returns the model card, with the preprocessing and the class labels.
  const ModelCard& card() const { return card_; }
  int classes() const { return static_cast<int>(card_.class_labels.size()); }
  // Returns the kind of its engines: "simd".
  const std::string& engine() const { return engine_; }
  // Returns the id by which events know it.
  ModelId id() const { return id_; }
  // Returns what ContentOf has said of its files when they were loaded.
  const std::string& content() const { return content_; }
  // Returns the weights, to show what the layers make of an image. May be null.
  const std::shared_ptr<const Weights>& weights() const { return weights_; }

  // Queues the job, which has room for classes() log-probabilities an image. See
  // BatchDispatcher::Submit. The caller must hold a handle until the job has finished.
  absl::Status Submit(Job* job) const { return dispatcher_->Submit(queue_, job); }

  // See BatchDispatcher.
  absl::Status SubmitSpare(Job* job) const { return dispatcher_->SubmitSpare(queue_, job); }
  bool HasSpareTime() const { return dispatcher_->HasSpareTime(); }

  BatchQueue* queue() const { return queue_; }

 private:
  const ModelCard card_;
  const std::string engine_;
  const ModelId id_;
  const std::string content_;
  const std::shared_ptr<const Weights> weights_;
  BatchDispatcher* const dispatcher_;
  BatchQueue* const queue_;
};

// Keeps a servable alive: a request holds one from when it is read until its response is sent.
using ServableHandle = std::shared_ptr<const Servable>;

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_SERVABLE_H_
