// Converts protobuf messages to and from the messages of a transport.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_MESSAGES_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_MESSAGES_H_

#include <cstddef>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

// Returns INVALID_ARGUMENT, which says that a request of `bytes` bytes is not a valid Proto.
template <typename Proto>
absl::Status NotA(std::size_t bytes) {
  return absl::InvalidArgumentError(absl::StrCat("the request has ", bytes, " bytes that are no ",
                                                 Proto::descriptor()->full_name()));
}

// Returns UNIMPLEMENTED for a path such as "/pkg.Service/Method" that is none of a method of
// `services`. It names what there is instead: the methods of that service or else the services.
absl::Status NoSuchMethod(std::string_view path, std::span<const Service> services);

// Replaces the content of `message` with the bytes of `proto`, which must have less than 2 GiB.
template <typename Proto>
void Serialize(const Proto& proto, Message* message) {
  proto.SerializeWithCachedSizesToArray(message->Allocate(proto.ByteSizeLong()).data());
}

// Parses the bytes of `message` into `proto`. Returns NotA<Proto> if they are not valid; the
// content of `proto` is then unspecified. Requests to classify images have a reader of their own,
// which copies no pixels: classifier_v1/request_reader.h.
template <typename Proto>
absl::Status Parse(Message* message, Proto* proto) {
  if (proto->ParseFromZeroCopyStream(message->Pieces())) return absl::OkStatus();
  return NotA<Proto>(message->size());
}

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_MESSAGES_H_
