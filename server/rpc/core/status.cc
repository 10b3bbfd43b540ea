#include "server/rpc/core/status.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"

namespace hellocnn::server {
namespace {

constexpr absl::Duration kMaxMargin = absl::Milliseconds(50);

// Clients take 8 kB of trailers, in which each byte of a message may need three, and one and a
// third once more in the details.
constexpr std::size_t kMostMessageBytes = 1024;

// Cuts a message between two characters.
absl::Status Shortened(const absl::Status& status) {
  const absl::string_view message = status.message();
  if (message.size() <= kMostMessageBytes) return status;
  std::size_t end = kMostMessageBytes;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0U) == 0x80U) --end;
  absl::Status shortened(status.code(), absl::StrCat(message.substr(0, end), "…"));
  status.ForEachPayload([&shortened](absl::string_view type, const absl::Cord& payload) {
    shortened.SetPayload(type, payload);
  });
  return shortened;
}

}  // namespace

absl::Status ToProtocol(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kInternal:
      return Shortened(status);
    default:
      return Shortened(absl::InternalError(
          absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message())));
  }
}

absl::StatusCode CodeOfGoneCaller(Instant start, Instant deadline, Instant gone) {
  const absl::Duration margin =
      std::min((deadline - start) / 10 + absl::Milliseconds(1), kMaxMargin);
  return gone >= deadline - margin ? absl::StatusCode::kDeadlineExceeded
                                   : absl::StatusCode::kCancelled;
}

absl::Status JobOutcome(const absl::Status& status, Instant deadline, Instant now) {
  if (absl::IsCancelled(status) && now >= deadline) {
    return absl::DeadlineExceededError("the deadline passed before the request was computed");
  }
  return status;
}

}  // namespace hellocnn::server
