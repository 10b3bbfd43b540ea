#include "client/channel_options.h"

#include <algorithm>
#include <random>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/version.h"
#include "client/channel.h"

namespace hellocnn::client {
namespace {

// gRPC keeps up to this many bytes of a call, so that it can retry the call. A request of 1,024
// images as floats has 4.2 MB. The default of gRPC, 256 KiB, would silently disable retries of more
// than 250 images.
constexpr int kRetryBufferBytes = 16 << 20;

// An attempt to connect fails if the address does not respond within this time. The 20 s that gRPC
// allows by default are for servers on the far side of the world.
constexpr absl::Duration kConnectTimeout = absl::Seconds(5);
constexpr absl::Duration kFirstReconnectBackoff = absl::Milliseconds(100);
// gRPC varies every backoff but the first by this share. The first must vary too, since all clients
// of a server that restarts lose it at the same moment.
constexpr double kJitter = 0.2;

template <typename Value>
absl::Status OutOfRange(const char* option, const Value& value, const char* wanted) {
  return absl::InvalidArgumentError(absl::StrCat(option, " is ", value, "; it must be ", wanted));
}

absl::Status OutOfRange(const char* option, absl::Duration value, const char* wanted) {
  return OutOfRange(option, absl::FormatDuration(value), wanted);
}

// Returns true if `duration` is valid for gRPC, which counts milliseconds in an int.
bool IsMilliseconds(absl::Duration duration) {
  return duration >= absl::Milliseconds(1) && duration <= absl::Hours(24 * 20);
}
constexpr char kMilliseconds[] = "1ms to 20 days";

absl::Status Validate(const RetryOptions& retry) {
  if (retry.max_attempts < 1 || retry.max_attempts > 5)
    return OutOfRange("retry.max_attempts", retry.max_attempts, "1 to 5");
  if (retry.codes.empty()) return OutOfRange("retry.codes", "empty", "at least one code");
  for (const absl::StatusCode code : retry.codes) {
    if (static_cast<int>(code) < 1 || static_cast<int>(code) > 16)
      return OutOfRange("retry.codes", static_cast<int>(code), "codes of errors, 1 to 16");
    // Whom a server does not let in today it does not let in 100 ms later.
    if (code == absl::StatusCode::kUnauthenticated || code == absl::StatusCode::kPermissionDenied) {
      return OutOfRange("retry.codes", absl::StatusCodeToString(code),
                        "codes other than UNAUTHENTICATED and PERMISSION_DENIED");
    }
  }
  if (!IsMilliseconds(retry.initial_backoff))
    return OutOfRange("retry.initial_backoff", retry.initial_backoff, kMilliseconds);
  if (!IsMilliseconds(retry.max_backoff))
    return OutOfRange("retry.max_backoff", retry.max_backoff, kMilliseconds);
  if (!(retry.backoff_multiplier >= 1 && retry.backoff_multiplier <= 100))
    return OutOfRange("retry.backoff_multiplier", retry.backoff_multiplier, "1 to 100");
  if (retry.throttle_tokens < 0 || retry.throttle_tokens > 1000)
    return OutOfRange("retry.throttle_tokens", retry.throttle_tokens, "0 to 1,000");
  if (!(retry.throttle_ratio >= 0.001 && retry.throttle_ratio <= 1000))
    return OutOfRange("retry.throttle_ratio", retry.throttle_ratio, "0.001 to 1,000");
  return absl::OkStatus();
}

absl::Status Validate(const HedgeOptions& hedge, bool elsewhere) {
  if (hedge.after <= absl::ZeroDuration() || hedge.after == absl::InfiniteDuration())
    return OutOfRange("hedge.after", hedge.after, "greater than 0 and finite");
  if (hedge.max_attempts < 2 || hedge.max_attempts > 5)
    return OutOfRange("hedge.max_attempts", hedge.max_attempts, "2 to 5");
  if (!(hedge.max_share > 0 && hedge.max_share <= 1))
    return OutOfRange("hedge.max_share", hedge.max_share, "greater than 0, and at most 1");
  if (!elsewhere) {
    return absl::InvalidArgumentError(
        "hedge needs another connection to use: connections > 1, or round_robin");
  }
  return absl::OkStatus();
}

// Returns `duration` in the JSON format of protobuf durations.
std::string Json(absl::Duration duration) {
  return absl::StrCat("\"", absl::ToInt64Milliseconds(duration) / 1000, ".",
                      absl::Dec(absl::ToInt64Milliseconds(duration) % 1000, absl::kZeroPad3),
                      "s\"");
}

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

}  // namespace

absl::Status Validate(const ClientOptions& options) {
  if (const absl::StatusOr<Proxy> proxy = ChooseProxy(options); !proxy.ok()) return proxy.status();
  if (options.tls.has_value() && !options.tls->ca_certificates.empty() &&
      !absl::StrContains(options.tls->ca_certificates, "-----BEGIN CERTIFICATE-----")) {
    return absl::InvalidArgumentError(
        "tls.ca_certificates has no certificate in it; wanted PEM, with lines -----BEGIN "
        "CERTIFICATE-----");
  }
  if (options.default_timeout <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat("the default timeout is ",
                                                   absl::FormatDuration(options.default_timeout),
                                                   "; it must be greater than 0"));
  }
  if (options.connections < 1 || options.connections > 64)
    return OutOfRange("connections", options.connections, "1 to 64");
  if (options.keepalive_interval != absl::InfiniteDuration() &&
      !IsMilliseconds(options.keepalive_interval)) {
    return OutOfRange("keepalive_interval", options.keepalive_interval, "1ms or more");
  }
  if (!IsMilliseconds(options.keepalive_timeout))
    return OutOfRange("keepalive_timeout", options.keepalive_timeout, kMilliseconds);
  if (!IsMilliseconds(options.max_reconnect_backoff))
    return OutOfRange("max_reconnect_backoff", options.max_reconnect_backoff, kMilliseconds);
  if (options.retry.has_value()) {
    if (absl::Status retry = Validate(*options.retry); !retry.ok()) return retry;
  }
  if (options.hedge.has_value())
    return Validate(*options.hedge, options.round_robin || options.connections > 1);
  return absl::OkStatus();
}

std::string ServiceConfig(const ClientOptions& options) {
  std::vector<std::string> parts;
  if (options.round_robin) {
    parts.emplace_back(R"("loadBalancingConfig": [{"round_robin": {}}])");
    parts.emplace_back(R"("healthCheckConfig": {"serviceName": ""})");
  }
  // A replica that drains rejects calls that the client sent before it learned of the drain. These
  // calls are retried at another replica.
  const RetryOptions retry = options.retry.value_or(
      options.round_robin ? RetryOptions() : RetryOptions{.max_attempts = 1});
  if (retry.max_attempts > 1) {
    const std::string codes =
        absl::StrJoin(retry.codes, ", ", [](std::string* out, absl::StatusCode code) {
          absl::StrAppend(out, "\"", absl::StatusCodeToString(code), "\"");
        });
    parts.push_back(
        absl::StrCat(R"("methodConfig": [{"name": [)",
                     R"({"service": "hellocnn.v1.ClassifierService", "method": "Classify"}, )",
                     R"({"service": "hellocnn.v1.ClassifierService", "method": "GetModel"}, )",
                     R"({"service": "hellocnn.v1.ClassifierService", "method": "ListModels"}], )",
                     R"("retryPolicy": {"maxAttempts": )", retry.max_attempts,  //
                     R"(, "initialBackoff": )", Json(retry.initial_backoff),    //
                     R"(, "maxBackoff": )", Json(retry.max_backoff),            //
                     R"(, "backoffMultiplier": )", retry.backoff_multiplier,    //
                     R"(, "retryableStatusCodes": [)", codes, "]}}]"));
    if (retry.throttle_tokens > 0) {
      // The ratio always has a decimal point, because gRPC 1.51 reads a ratio of 1 as 0.001.
      parts.push_back(absl::StrFormat(R"("retryThrottling": {"maxTokens": %d, "tokenRatio": %.3f})",
                                      retry.throttle_tokens, retry.throttle_ratio));
    }
  }
  return absl::StrCat("{", absl::StrJoin(parts, ", "), "}");
}

grpc::ChannelArguments ChannelArguments(const ClientOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(ServiceConfig(options));
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, kRetryBufferBytes);
  arguments.SetUserAgentPrefix(absl::StrCat("hellocnn-client/", kVersion));
  // Otherwise all channels to one target in a process would share one TCP connection, and one of
  // its locks.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (options.keepalive_interval != absl::InfiniteDuration()) {
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_interval));
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(options.keepalive_timeout));
  }
  std::random_device random;
  std::uniform_real_distribution<double> factor(1 - kJitter, 1 + kJitter);
  const absl::Duration first = kFirstReconnectBackoff * factor(random);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS,
                   Milliseconds(std::min(first, options.max_reconnect_backoff)));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, Milliseconds(options.max_reconnect_backoff));
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, Milliseconds(kConnectTimeout));
  return arguments;
}

}  // namespace hellocnn::client
