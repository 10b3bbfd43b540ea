// The lines of the log about single requests.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_LOGGING_REQUEST_LOG_H_
#define HELLOCNN_SERVER_OBSERVABILITY_LOGGING_REQUEST_LOG_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/token_bucket.h"

namespace hellocnn::server {

// Logs a line for each request that was rejected, failed, or was slow, and for a sample of all.
// Of many lines of a kind, at most kBurst and then kPerSecond are logged, unless the level is
// debug; the next line says how many were left out. A kind is a code, or a slow request.
//
// Thread-safe. Does not block.
class RequestLog {
 public:
  static constexpr double kBurst = 10;
  static constexpr double kPerSecond = 1;

  struct Options {
    // How long a request may take without being logged as slow. Infinite for never.
    absl::Duration slow = absl::Seconds(1);
    int sample = 0;  // logs one of so many requests, whatever its outcome; 0 for none
  };

  // A request whose response is ready.
  struct Request {
    std::string_view method;
    absl::StatusCode code = absl::StatusCode::kOk;
    std::string_view message;               // of the status; "" if it is OK
    std::string_view rejected;              // why it was rejected; "" if it was not
    int images = 0;                         // that were computed
    absl::Duration duration;                // since it was received
    std::optional<absl::Duration> queue;    // the part in which it was queued
    std::optional<absl::Duration> compute;  // and in which it was computed
    std::string_view peer;                  // "10.0.0.1:50000", or "unix"
    std::string_view request_id;            // of the metadata x-request-id; one is made if it is ""
    std::string_view traceparent;           // of the metadata; "" if there is none
    std::string_view principal;             // who calls; "" if it is not known
  };

  RequestLog(const Options& options, const Clock* clock);

  // A line that is to be written.
  struct Line {
    enum class Kind { kSampled, kSlow, kFailed } kind;
    std::int64_t left_out = 0;  // lines of this kind since the last
  };

  // Returns whether a request of this outcome is to be logged: Write must follow if it is. What
  // Write wants to know need not be found out for the others, which are most.
  std::optional<Line> Next(absl::StatusCode code, absl::Duration duration)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    if (code != absl::StatusCode::kOk) return Admit(Line::Kind::kFailed, code);
    if (duration >= options_.slow) return Admit(Line::Kind::kSlow, code);
    if (options_.sample == 0) return std::nullopt;
    const std::uint32_t number = requests_.fetch_add(1, std::memory_order_relaxed);
    if (number % static_cast<std::uint32_t>(options_.sample) != 0) return std::nullopt;
    return Line{Line::Kind::kSampled};
  }
  void Write(const Line& line, const Request& request);

 private:
  // The lines of a kind.
  struct Lines {
    explicit Lines(Instant now) : tokens(kBurst, kPerSecond, now) {}
    TokenBucket tokens;
    std::int64_t left_out = 0;
  };

  std::optional<Line> Admit(Line::Kind kind, absl::StatusCode code) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  const Clock* const clock_;
  std::atomic<std::uint32_t> requests_{0};
  std::atomic<std::uint64_t> next_id_;
  Mutex mutex_;
  std::vector<Lines> lines_ ABSL_GUARDED_BY(mutex_);  // by code; those of OK are slow
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_LOGGING_REQUEST_LOG_H_
