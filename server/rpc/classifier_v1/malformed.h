// The error for bytes that are not a valid message.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFIER_V1_MALFORMED_H_
#define HELLOCNN_SERVER_RPC_CLASSIFIER_V1_MALFORMED_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace hellocnn::server {

// Returns INVALID_ARGUMENT, which says that a request of `bytes` bytes is not a valid Message.
template <typename Message>
absl::Status NotA(std::size_t bytes) {
  return absl::InvalidArgumentError(absl::StrCat("the request has ", bytes, " bytes that are no ",
                                                 Message::descriptor()->full_name()));
}

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFIER_V1_MALFORMED_H_
