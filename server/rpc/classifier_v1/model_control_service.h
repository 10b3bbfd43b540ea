// hellocnn.v1.ModelControlService: operators change which versions are served.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFIER_V1_MODEL_CONTROL_SERVICE_H_
#define HELLOCNN_SERVER_RPC_CLASSIFIER_V1_MODEL_CONTROL_SERVICE_H_

#include <functional>
#include <string_view>

#include "absl/status/statusor.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "server/rpc/core/call_scope.h"
#include "server/rpc/transport/transport.h"
#include "server/serving/version_table.h"

namespace hellocnn::server {

inline constexpr char kModelControlService[] = "hellocnn.v1.ModelControlService";

// Thread-safe. Must outlive the transport that serves it.
class ModelControlService {
 public:
  // What the calls do. Thread-safe; none blocks. See ModelManager.
  struct Actions {
    std::function<void()> poll;
    std::function<absl::StatusOr<RolledBack>(std::string_view model)> roll_back;
    std::function<absl::StatusOr<RolledBack>(std::string_view model)> undo_rollback;
  };

  // With `allowed` false, every call fails with PERMISSION_DENIED. Registers the methods with the
  // events of `accounting`. What the actions use must outlive the service.
  ModelControlService(bool allowed, const Accounting& accounting, Actions actions);

  // Returns the service for a transport.
  Service Describe() const;

  // Return the responses, or the errors of the actions.
  absl::StatusOr<v1::PollModelsResponse> Respond(const v1::PollModelsRequest& request) const;
  absl::StatusOr<v1::RollBackResponse> Respond(const v1::RollBackRequest& request) const;
  absl::StatusOr<v1::UndoRollbackResponse> Respond(const v1::UndoRollbackRequest& request) const;

 private:
  const bool allowed_;
  const Accounting accounting_;
  const Actions actions_;
  const ServedMethod poll_models_;
  const ServedMethod roll_back_;
  const ServedMethod undo_rollback_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFIER_V1_MODEL_CONTROL_SERVICE_H_
