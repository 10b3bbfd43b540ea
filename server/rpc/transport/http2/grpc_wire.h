// The texts of gRPC over HTTP/2 (doc/PROTOCOL-HTTP2.md in gRPC's repository). Functions are
// thread-safe.
#ifndef HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_GRPC_WIRE_H_
#define HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_GRPC_WIRE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace hellocnn::server {

// Reads a grpc-timeout: 1 to 8 digits and a unit, H, M, S, m, u or n. Returns nullopt for anything
// else.
std::optional<absl::Duration> ParseTimeout(std::string_view text);

// Appends `text` as a grpc-message: every byte but printable ASCII, and the percent sign, as
// %XX.
void AppendPercentEncoded(std::string_view text, std::string* to);

// Appends the value of metadata whose key ends with "-bin", which is Base64 with or without
// padding, and may have spaces around it. Of several values with commas between them, appends the
// first. Returns false, and appends nothing, if one is not Base64.
bool AppendBinary(std::string_view text, std::string* to);
// Returns binary metadata as Base64 without padding.
std::string EncodeBinary(std::string_view value);
// Returns the value of metadata as it is sent: EncodeBinary if the key ends with "-bin".
std::string ValueToSend(std::string_view key, std::string_view value);

// Returns true if `text` is the content-type of gRPC: "application/grpc", alone or with a suffix
// such as "+proto".
bool IsGrpcContentType(std::string_view text);

// The prefix of each message: a byte that is 1 if the message is compressed and 0 if it is not, and
// its size in four bytes, most significant byte first. Readers get whatever the byte is; writers
// must not write a size that four bytes cannot hold.
inline constexpr std::size_t kPrefixBytes = 5;
struct Prefix {
  std::uint8_t compressed = 0;
  std::size_t size = 0;
};
inline Prefix ReadPrefix(std::span<const std::uint8_t, kPrefixBytes> bytes) {
  return {.compressed = bytes[0],
          .size = std::size_t{bytes[1]} << 24 | std::size_t{bytes[2]} << 16 |
                  std::size_t{bytes[3]} << 8 | bytes[4]};
}
inline void WritePrefix(const Prefix& prefix, std::span<std::uint8_t, kPrefixBytes> bytes) {
  bytes[0] = prefix.compressed;
  for (std::size_t i = 1; i < kPrefixBytes; ++i) {
    bytes[i] = static_cast<std::uint8_t>(prefix.size >> 8 * (kPrefixBytes - 1 - i));
  }
}

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_TRANSPORT_HTTP2_GRPC_WIRE_H_
