#include "server/observability/logging/request_log.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstddef>
#include <random>
#include <utility>

#include "absl/strings/str_format.h"
#include "server/observability/logging/logging.h"

namespace hellocnn::server {
namespace {

// The codes of gRPC are 0 to 16.
constexpr std::size_t kCodes = 17;

std::size_t IndexOf(absl::StatusCode code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kCodes ? index : static_cast<std::size_t>(absl::StatusCode::kUnknown);
}

bool IsDebugged() { return spdlog::default_logger_raw()->should_log(spdlog::level::debug); }

std::string_view MessageOf(const RequestLog::Line& line, const RequestLog::Request& request) {
  switch (line.kind) {
    case RequestLog::Line::Kind::kSampled:
      return "request";
    case RequestLog::Line::Kind::kSlow:
      return "slow request";
    case RequestLog::Line::Kind::kFailed:
      break;
  }
  return request.rejected.empty() ? "request failed" : "request rejected";
}

}  // namespace

RequestLog::RequestLog(const Options& options, const Clock* clock)
    : options_(options),
      clock_(clock),
      next_id_((std::uint64_t{std::random_device()()} << 32) | std::random_device()()),
      lines_(kCodes, Lines(clock->Now())) {}

std::optional<RequestLog::Line> RequestLog::Admit(Line::Kind kind, absl::StatusCode code) {
  MutexLock lock(&mutex_);
  Lines& lines = lines_[IndexOf(code)];
  if (!lines.tokens.TryTake(1, clock_->Now()) && !IsDebugged()) {
    ++lines.left_out;
    return std::nullopt;
  }
  return Line{kind, std::exchange(lines.left_out, 0)};
}

void RequestLog::Write(const Line& line, const Request& request) {
  LogLine text(MessageOf(line, request));
  text.Add("method", request.method).Add("code", absl::StatusCodeToString(request.code));
  if (!request.rejected.empty()) text.Add("reason", request.rejected);
  text.Add("duration", request.duration);
  if (request.queue.has_value()) text.Add("queue", *request.queue);
  if (request.compute.has_value()) text.Add("compute", *request.compute);
  text.Add("images", std::int64_t{request.images}).Add("peer", request.peer);
  if (!request.principal.empty()) text.Add("principal", request.principal);
  text.Add("request_id",
           request.request_id.empty()
               ? absl::StrFormat("%016x", next_id_.fetch_add(1, std::memory_order_relaxed))
               : request.request_id);
  if (!request.traceparent.empty()) text.Add("traceparent", request.traceparent);
  if (!request.message.empty()) text.Add("status_message", request.message);
  if (line.left_out > 0) text.Add("left_out", line.left_out);
  const bool is_own_fault = request.code == absl::StatusCode::kInternal ||
                            request.code == absl::StatusCode::kUnknown ||
                            request.code == absl::StatusCode::kDataLoss;
  text.Write(is_own_fault ? spdlog::level::err : spdlog::level::info);
}

}  // namespace hellocnn::server
