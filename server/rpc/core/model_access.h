// Which models the requests and responses of calls without images are about.
#ifndef HELLOCNN_SERVER_RPC_CORE_MODEL_ACCESS_H_
#define HELLOCNN_SERVER_RPC_CORE_MODEL_ACCESS_H_

#include <google/protobuf/repeated_field.h>

#include <algorithm>
#include <concepts>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "server/access/principal.h"

namespace hellocnn::server {

// Returns the model that a request names: nothing if it has no such field, and "" if it is not set.
template <typename Request>
std::optional<std::string_view> ModelNamedBy(const Request& request) {
  if constexpr (requires { request.model().name(); }) {
    return request.model().name();
  } else if constexpr (requires {
                         { request.model() } -> std::convertible_to<std::string_view>;
                       }) {
    return request.model();
  } else if constexpr (requires { request.model_name(); }) {
    return request.model_name();
  } else if constexpr (requires { request.name(); }) {
    return request.name();
  } else {
    return std::nullopt;
  }
}

// Responses that list models, and those that are about one and name it.
template <typename Response>
concept ListsModels = requires(Response* response) {
  response->mutable_models();
}
|| requires(Response* response) { response->mutable_model_stats(); };
template <typename Response>
concept NamesItsModel = requires(const Response& response) {
  response.model().version().name();
};

// Checks that the principal may use the model that a request names. PERMISSION_DENIED: it may not.
// A request for a Response that ShowAllowed checks need not name its model.
template <typename Response, typename Request>
absl::Status CheckModel(const Principal& principal, const Request& request) {
  const std::optional<std::string_view> model = ModelNamedBy(request);
  constexpr bool kIsShownLater = ListsModels<Response> || NamesItsModel<Response>;
  if (!model.has_value() || (model->empty() && kIsShownLater)) return absl::OkStatus();
  return principal.CheckModel(*model);
}

// Leaves what the principal may not use out of a list of models.
template <typename Entry>
void KeepAllowed(const Principal& principal, google::protobuf::RepeatedPtrField<Entry>* entries) {
  const auto is_hidden = [&principal](const Entry& entry) {
    if constexpr (requires { entry.version().name(); }) {
      return !principal.MayUse(entry.version().name());
    } else {
      return !principal.MayUse(entry.name());
    }
  };
  entries->erase(std::remove_if(entries->begin(), entries->end(), is_hidden), entries->end());
}

// Leaves what the principal may not use out of a response. PERMISSION_DENIED: the response is about
// one model, which the request has not named, and which the principal may not use.
template <typename Response>
absl::Status ShowAllowed(const Principal& principal, Response* response) {
  if constexpr (requires { response->mutable_models(); }) {
    KeepAllowed(principal, response->mutable_models());
  } else if constexpr (ListsModels<Response>) {
    KeepAllowed(principal, response->mutable_model_stats());
  } else if constexpr (NamesItsModel<Response>) {
    return principal.CheckModel(response->model().version().name());
  }
  return absl::OkStatus();
}

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_MODEL_ACCESS_H_
