// Numbers for callers, for both transports.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_CALLER_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_CALLER_H_

#include <cstdint>
#include <string_view>

#include "absl/hash/hash.h"

namespace hellocnn::server {

// Returns Rpc::caller() of a caller at `address`, without a port, who has proved to be `principal`,
// or nothing if that is empty. Abseil's hash differs from process to process, so nobody can choose
// the number of somebody else.
inline std::uint64_t CallerOf(std::string_view principal, std::string_view address) {
  const bool is_known = !principal.empty();
  return absl::HashOf(is_known, is_known ? principal : address);
}

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_CALLER_H_
