#include "server/rpc/transport/http2/compression.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace hellocnn::server {
namespace {

// gRPC's "gzip" is RFC 1952, and its "deflate" is RFC 1950 (zlib).
int WindowBits(Encoding encoding) {
  return encoding == Encoding::kGzip ? MAX_WBITS + 16 : MAX_WBITS;
}

absl::Status NoMemory() {
  return absl::ResourceExhaustedError(
      "the server has no memory left for compressed messages of this connection; retry later");
}

// Points the stream at the next piece of the input, if it has used up the last one. Returns false
// if there is none.
bool NextPiece(google::protobuf::io::ZeroCopyInputStream* pieces, z_stream* z) {
  if (z->avail_in > 0) return true;
  const void* data;
  int size;
  if (!pieces->Next(&data, &size)) return false;
  z->next_in = static_cast<Bytef*>(const_cast<void*>(data));  // zlib does not write there
  z->avail_in = static_cast<uInt>(size);
  return true;
}

}  // namespace

absl::Status Inflate(Encoding encoding, Http2Message* from, std::size_t max_bytes,
                     Http2Message* to) {
  z_stream z{};
  if (inflateInit2(&z, WindowBits(encoding)) != Z_OK) return NoMemory();
  const auto end = absl::MakeCleanup([&z] { inflateEnd(&z); });
  google::protobuf::io::ZeroCopyInputStream* const pieces = from->Pieces();
  for (int result = Z_OK; result != Z_STREAM_END;) {
    if (!NextPiece(pieces, &z)) {
      return absl::InternalError(absl::StrCat("the request is no complete ",
                                              std::string(NameOf(encoding)), ": it ends after ",
                                              from->size(), " bytes"));
    }
    const std::span<std::uint8_t> tail = to->Tail(max_bytes);
    if (tail.empty()) return NoMemory();
    z.next_out = tail.data();
    z.avail_out = static_cast<uInt>(tail.size());
    result = inflate(&z, Z_NO_FLUSH);
    to->Advance(tail.size() - z.avail_out);
    if (to->size() > max_bytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the request has more than ", max_bytes,
                       " bytes once it is inflated; wanted at most ", max_bytes));
    }
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      return absl::InternalError(absl::StrCat(
          "the request has ", from->size(), " bytes that are no ", std::string(NameOf(encoding))));
    }
  }
  if (z.avail_in > 0 || NextPiece(pieces, &z)) {
    return absl::InternalError(
        absl::StrCat("the request goes on after the end of its ", std::string(NameOf(encoding))));
  }
  return absl::OkStatus();
}

absl::Status Deflate(Encoding encoding, Http2Message* from, Http2Message* to) {
  z_stream z{};
  constexpr int kMemory = 8;  // zlib's default
  if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, WindowBits(encoding), kMemory,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return NoMemory();
  }
  const auto end = absl::MakeCleanup([&z] { deflateEnd(&z); });
  google::protobuf::io::ZeroCopyInputStream* const pieces = from->Pieces();
  for (int result = Z_OK; result != Z_STREAM_END;) {
    const bool more = NextPiece(pieces, &z);
    const std::span<std::uint8_t> tail = to->Tail(from->size());
    if (tail.empty()) return NoMemory();
    z.next_out = tail.data();
    z.avail_out = static_cast<uInt>(tail.size());
    result = deflate(&z, more ? Z_NO_FLUSH : Z_FINISH);
    to->Advance(tail.size() - z.avail_out);
  }
  return absl::OkStatus();
}

}  // namespace hellocnn::server
