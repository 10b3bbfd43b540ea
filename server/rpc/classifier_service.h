// hellocnn.v1.ClassifierService over a batcher.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFIER_SERVICE_H_
#define HELLOCNN_SERVER_RPC_CLASSIFIER_SERVICE_H_

#include "absl/time/time.h"
#include "hellocnn/model_card.h"
#include "hellocnn/v1/classifier_service.grpc.pb.h"
#include "server/observability/metrics.h"
#include "server/rpc/admission.h"
#include "server/rpc/classify_call.h"
#include "server/rpc/completion_events.h"
#include "server/rpc/idle_calls.h"
#include "server/rpc/serving_context.h"
#include "server/runtime/batcher.h"

namespace hellocnn::server {

// Refuses every call with UNAVAILABLE until it is told to serve. Thread-safe. Must outlive the gRPC
// server that it is registered with, and the queue that it takes calls from.
class ClassifierService : public AsyncClassifier {
 public:
  // `metrics` outlives the service.
  ClassifierService(const ModelCard& card, const v1::Limits& limits, Metrics* metrics);

  // Takes the calls of a server that has started. `events` outlives them. Once.
  void Listen(CompletionEvents* events);

  // From now on calls are answered by `batcher`, which must outlive every call.
  void Serve(Batcher* batcher) { admission_.Open(batcher); }

  // From now on new calls get UNAVAILABLE, and streams end when they have answered what they had
  // accepted. Does not block; idempotent.
  void Drain() { admission_.Close(); }

  // After Drain: blocks until every call that was accepted has ended. False: `deadline` came first.
  bool WaitUntilIdle(absl::Time deadline) { return admission_.WaitUntilIdle(deadline); }

  // After Drain: blocks until no call has come for as long as `quiet`. False: `deadline` came
  // first.
  bool WaitUntilQuiet(absl::Duration quiet, absl::Time deadline) {
    return admission_.WaitUntilQuiet(quiet, deadline);
  }

 private:
  Admission admission_;
  const ServingContext serving_;
  IdleCalls<ClassifyCall> idle_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFIER_SERVICE_H_
