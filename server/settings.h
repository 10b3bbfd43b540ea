// What the options of the server mean to its parts.
#ifndef HELLOCNN_SERVER_SETTINGS_H_
#define HELLOCNN_SERVER_SETTINGS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/access/access_control.h"
#include "server/config/options.h"
#include "server/rpc/transport/http2/limits.h"
#include "server/serving/request_limits.h"
#include "server/tls/tls_credentials.h"

namespace hellocnn::server {

// Returns the duration, or an infinite one for what the options call 0s: never.
absl::Duration OrForever(absl::Duration duration);

// Returns what one request may have.
RequestLimits MakeLimits(const Options& options);

// Returns what clients may take of the transport. INVALID_ARGUMENT: there is too little memory for
// the largest request; the message names the options.
absl::StatusOr<Http2Limits> MakeHttp2Limits(const Options& options, const RequestLimits& limits);

// Reads the certificates, and follows them. Null if there are none. Errors are those of
// TlsCredentials::Load.
absl::StatusOr<std::unique_ptr<TlsCredentials>> LoadTls(const Options& options);

// Reads the access file, and follows it. Null if there is none. Errors are those of
// AccessControl::Start, and name the option.
absl::StatusOr<std::unique_ptr<AccessControl>> StartAccess(const Options& options);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SETTINGS_H_
