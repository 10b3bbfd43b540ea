#include "server/settings.h"

#include <spdlog/spdlog.h>

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/tls/client_names.h"

namespace hellocnn::server {
namespace {

// An image takes 4,096 bytes, its tags and lengths 7; the rest is for fields that are yet to come.
constexpr int kBytesPerImage = 4096 + 64;
constexpr int kBytesPerRequest = 4096;

}  // namespace

// The range of --max-images-per-request keeps a message below 2 GiB.
RequestLimits MakeLimits(const Options& options) {
  return {.max_images_per_request = options.max_images_per_request,
          .max_batch_size = options.max_batch_size,
          .queue_capacity = options.queue_capacity,
          .max_message_bytes = kBytesPerRequest + kBytesPerImage * options.max_images_per_request};
}

absl::Duration OrForever(absl::Duration duration) {
  return duration == absl::ZeroDuration() ? absl::InfiniteDuration() : duration;
}

absl::StatusOr<Http2Limits> MakeHttp2Limits(const Options& options, const RequestLimits& limits) {
  const std::size_t message = static_cast<std::size_t>(limits.max_message_bytes);
  const std::size_t memory = static_cast<std::size_t>(options.buffer_memory) << 20;
  // A connection may take as much as it leaves for all others.
  if (memory < 2 * message) {
    return absl::InvalidArgumentError(absl::StrCat(
        "option buffer-memory is ", options.buffer_memory, " MiB, and a request of ",
        options.max_images_per_request, " images (max-images-per-request) takes up to ", message,
        " bytes; wanted at least twice as much, ", (2 * message >> 20) + 1, " MiB"));
  }
  return Http2Limits{
      .connections = options.max_connections,
      .connections_per_address = options.max_connections_per_address,
      .memory_bytes = memory,
      .message_bytes = message,
      .idle_timeout = OrForever(options.idle_timeout),
      .keepalive_interval = OrForever(options.keepalive_interval),
      .keepalive_timeout = options.keepalive_timeout,
  };
}

absl::StatusOr<std::unique_ptr<TlsCredentials>> LoadTls(const Options& options) {
  if (options.tls_cert == "off") return nullptr;
  return TlsCredentials::Load(
      {.certificate = options.tls_cert,
       .key = options.tls_key,
       .client_ca = options.tls_client_ca == "off" ? "" : options.tls_client_ca,
       .client_names = ClientNames::Parse(options.tls_client_names).value()},
      [](const absl::Status& status) {
        if (status.ok()) return spdlog::info("TLS uses the new certificate");
        spdlog::error("TLS goes on with the old certificate, because the new one is bad: {}",
                      std::string(status.message()));
      });
}

absl::StatusOr<std::unique_ptr<AccessControl>> StartAccess(const Options& options) {
  if (options.access_file == "off") return nullptr;
  absl::StatusOr<std::unique_ptr<AccessControl>> access =
      AccessControl::Start(options.access_file, [](const absl::Status& status) {
        if (status.ok()) return spdlog::info("the new access file holds from now on");
        spdlog::error("the old access file still holds, because the new one is bad: {}",
                      std::string(status.message()));
      });
  if (access.ok()) return access;
  return absl::InvalidArgumentError(
      absl::StrCat("option access-file: ", access.status().message()));
}

}  // namespace hellocnn::server
