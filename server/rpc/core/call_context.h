// The objects that all calls share.
#ifndef HELLOCNN_SERVER_RPC_CORE_CALL_CONTEXT_H_
#define HELLOCNN_SERVER_RPC_CORE_CALL_CONTEXT_H_

#include "server/rpc/core/admission.h"
#include "server/rpc/core/call_scope.h"
#include "server/serving/model_registry.h"

namespace hellocnn::server {

// Immutable. The objects that it points to are thread-safe. Must outlive every call.
struct CallContext {
  Accounting accounting;
  Admission* admission;
  const ModelRegistry* models;
  int max_images;  // of a request

  Instant Now() const { return accounting.clock->Now(); }
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_CALL_CONTEXT_H_
