#include "server/rpc/classifier_v1/model_control_service.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "server/rpc/core/direct_call.h"

namespace hellocnn::server {
namespace {

ServedMethod AddControlMethod(Events* events, const char* method) {
  return {.id = events->AddMethod(
              {.service = kModelControlService, .method = method, .takes_images = false}),
          .name = method};
}

absl::Status NotAllowed() {
  return absl::PermissionDeniedError(
      "this server does not let clients control its models; wanted the option --model-control=on");
}

v1::ModelVersion VersionOf(const std::string& model, const std::string& version) {
  v1::ModelVersion message;
  message.set_name(model);
  message.set_version(version);
  return message;
}

template <typename Response>
absl::StatusOr<Response> ResponseOf(const absl::StatusOr<RolledBack>& done) {
  if (!done.ok()) return done.status();
  Response response;
  *response.mutable_from() = VersionOf(done->model, done->from);
  *response.mutable_to() = VersionOf(done->model, done->to);
  return response;
}

}  // namespace

ModelControlService::ModelControlService(bool allowed, const Accounting& accounting,
                                         Actions actions)
    : allowed_(allowed),
      accounting_(accounting),
      actions_(std::move(actions)),
      poll_models_(AddControlMethod(accounting.events, "PollModels")),
      roll_back_(AddControlMethod(accounting.events, "RollBack")),
      undo_rollback_(AddControlMethod(accounting.events, "UndoRollback")) {}

Service ModelControlService::Describe() const {
  const auto method = [this]<typename Request>(const ServedMethod& served, const Request&) {
    return UnaryMethod{.name = std::string(served.name),
                       .make_handler = [this, &served](UnaryRpc* rpc) {
                         return std::make_unique<DirectCall<ModelControlService, Request>>(
                             this, &accounting_, served, rpc);
                       }};
  };
  return {.name = kModelControlService,
          .unary = {method(poll_models_, v1::PollModelsRequest()),
                    method(roll_back_, v1::RollBackRequest()),
                    method(undo_rollback_, v1::UndoRollbackRequest())}};
}

absl::StatusOr<v1::PollModelsResponse> ModelControlService::Respond(
    const v1::PollModelsRequest& /*request*/) const {
  if (!allowed_) return NotAllowed();
  actions_.poll();
  return v1::PollModelsResponse();
}

absl::StatusOr<v1::RollBackResponse> ModelControlService::Respond(
    const v1::RollBackRequest& request) const {
  if (!allowed_) return NotAllowed();
  return ResponseOf<v1::RollBackResponse>(actions_.roll_back(request.model()));
}

absl::StatusOr<v1::UndoRollbackResponse> ModelControlService::Respond(
    const v1::UndoRollbackRequest& request) const {
  if (!allowed_) return NotAllowed();
  return ResponseOf<v1::UndoRollbackResponse>(actions_.undo_rollback(request.model()));
}

}  // namespace hellocnn::server
