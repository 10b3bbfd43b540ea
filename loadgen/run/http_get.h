// Fetches a page over HTTP.
#ifndef HELLOCNN_LOADGEN_RUN_HTTP_GET_H_
#define HELLOCNN_LOADGEN_RUN_HTTP_GET_H_

#include <string>

#include "absl/status/statusor.h"

namespace hellocnn::load {

// Returns the body of an http or https URL, at most 16 MB. Blocks for at most 5 s while connecting,
// and for at most 5 s without data. Follows no redirect and uses no proxy. UNAVAILABLE names the
// URL and the reason: no connection, a status other than 200, or too large a body.
// INVALID_ARGUMENT: `url` is not such a URL.
absl::StatusOr<std::string> HttpGet(const std::string& url);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_HTTP_GET_H_
