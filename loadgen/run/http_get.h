// Fetches a page over HTTP.
#ifndef HELLOCNN_LOADGEN_RUN_HTTP_GET_H_
#define HELLOCNN_LOADGEN_RUN_HTTP_GET_H_

#include <atomic>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace hellocnn::load {

// How long a fetch may take if it begins when `stop` is true already.
inline constexpr absl::Duration kPatienceOnceStopped = absl::Seconds(1);

// Returns the body of an http or https URL, at most 16 MB. Blocks for at most 5 s while connecting,
// and for at most 5 s without data, and for about 30 s in all once data comes; and, besides these,
// while the name is looked up. Follows no redirect and uses no proxy. CANCELLED: `stop` became true
// meanwhile, which ends the fetch at once, or was true before and kPatienceOnceStopped is over.
// UNAVAILABLE names the URL and the reason: no connection, a status other than
// 200, or too large a body. INVALID_ARGUMENT: `url` is not such a URL.
absl::StatusOr<std::string> HttpGet(const std::string& url, const std::atomic<bool>& stop);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_HTTP_GET_H_
