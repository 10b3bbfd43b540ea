// hellocnn.v1.ClassifierService over the models of a registry.
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

// Rejects every call with UNAVAILABLE unless the lifecycle is serving. When it begins to drain,
// streams end once they have answered what they had accepted. Thread-safe. Must outlive the gRPC
// server that it is registered with, and the queue that it takes calls from.
class ClassifierService : public AsyncClassifier {
 public:
  // Calls are answered by the default model of `registry`, whose card is `card`. What is pointed to
  // outlives the service.
  ClassifierService(const ModelCard& card, const RequestLimits& limits, Events* events,
                    Lifecycle* lifecycle, const ModelRegistry* registry, const Clock* clock);

  // Takes the calls of a server that has started. `events` outlives them. Once.
  void Listen(CompletionEvents* events);

  // Once the server drains: blocks until every call that was accepted has ended. False: `deadline`
  // came first.
  bool WaitUntilIdle(Instant deadline) { return admission_.WaitUntilIdle(deadline); }

  // Once the server drains: blocks until no call has come for as long as `quiet`. False: `deadline`
  // came first.
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
