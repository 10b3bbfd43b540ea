// Fetches a page.
#ifndef HELLOCNN_LOADGEN_RUN_HTTP_GET_H_
#define HELLOCNN_LOADGEN_RUN_HTTP_GET_H_

#include <string>

#include "absl/status/statusor.h"

namespace hellocnn::load {

// The body of an http or https URL, of at most 16 MB. Blocks, for 5 s until it is connected and 5 s
// without an answer at most. Follows no redirect and uses no proxy. UNAVAILABLE names the URL and
// what came instead: no connection, another status than 200, or too much. INVALID_ARGUMENT: not
// such a URL.
absl::StatusOr<std::string> HttpGet(const std::string& url);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_RUN_HTTP_GET_H_
