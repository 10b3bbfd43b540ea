// Where log lines go. Only main calls this; the rest logs through spdlog's default logger.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_LOGGING_LOGGING_H_
#define HELLOCNN_SERVER_OBSERVABILITY_LOGGING_LOGGING_H_

#include <string>

#include "absl/status/status.h"

namespace hellocnn::server {

// Sends lines of at least `level` to stderr, as "2026-01-31T12:00:00.123Z info message".
// INVALID_ARGUMENT: `level` is none of debug, info, warn, error and off.
absl::Status SetUpLogging(const std::string& level);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_LOGGING_LOGGING_H_
