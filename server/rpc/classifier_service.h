// Implements hellocnn.v1.ClassifierService with the models of a registry.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFIER_SERVICE_H_
#define HELLOCNN_SERVER_RPC_CLASSIFIER_SERVICE_H_

#include "absl/time/time.h"
#include "base/clock.h"
#include "hellocnn/model_card.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"
#include "server/observability/events.h"
#include "server/rpc/admission.h"
#include "server/rpc/classify_call.h"
#include "server/rpc/completion_events.h"
#include "server/rpc/idle_calls.h"
#include "server/rpc/serving_context.h"
#include "server/serving/lifecycle.h"
#include "server/serving/model_registry.h"
#include "server/serving/request_limits.h"

namespace hellocnn::server {

// Rejects every call with UNAVAILABLE unless the lifecycle is serving. When the lifecycle begins to
// drain, streams end once they have responded to the requests that they had accepted. Thread-safe.
// Must outlive the gRPC server that it is registered with, and the queue that it takes calls from.
class ClassifierService : public AsyncClassifier {
 public:
  // The default model of `registry`, whose card is `card`, responds to the calls. All pointers must
  // outlive the service.
  ClassifierService(const ModelCard& card, const RequestLimits& limits, Events* events,
                    Lifecycle* lifecycle, const ModelRegistry* registry, const Clock* clock);

  // Takes the calls of a server that has started. Must be called once. `events` must outlive the
  // calls.
  void Listen(CompletionEvents* events);

  // Blocks until every call that was accepted has ended. May be called only once the server drains.
  // Returns false if `deadline` passes first.
  bool WaitUntilIdle(Instant deadline) { return admission_.WaitUntilIdle(deadline); }

  // Blocks until no call has arrived for the duration `quiet`. May be called only once the server
  // drains. Returns false if `deadline` passes first.
  bool WaitUntilQuiet(absl::Duration quiet, Instant deadline) {
    return admission_.WaitUntilQuiet(quiet, deadline);
  }

 private:
  Admission admission_;
  const ServingContext serving_;
  IdleCalls<ClassifyCall> idle_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFIER_SERVICE_H_
