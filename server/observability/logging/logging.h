// The log of the process. Only main makes it; all other code logs through spdlog's default logger,
// or with a LogLine if a line has fields.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_LOGGING_LOGGING_H_
#define HELLOCNN_SERVER_OBSERVABILITY_LOGGING_LOGGING_H_

#include <spdlog/spdlog.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace spdlog {
class logger;
namespace details {
class thread_pool;
}  // namespace details
}  // namespace spdlog

namespace hellocnn::server {

// Writes the lines of the log to standard error, on a thread of its own.
//
// Logging never blocks. Lines wait for the thread in a buffer of kBufferedLines; if that is full,
// the oldest is dropped. Lines are also dropped if standard error cannot be written. DroppedLines
// counts both. A message that would make a line longer than kLongestLine is cut.
//
// Formats:
//   text  2026-01-31T12:00:00.123Z info message key=value
//         Control characters in the message are escaped.
//   json  {"time":"2026-01-31T12:00:00.123Z","level":"info","message":"…","key":"value"}
class Logging {
 public:
  static constexpr int kBufferedLines = 1024;

  // Starts to log lines of at least `level`. Must be called while the calling thread blocks the
  // signals that the process waits for, because the thread inherits that. There may be one at a
  // time.
  // INVALID_ARGUMENT: `level` is not debug, info, warn, error or off, or `format` not text or json.
  static absl::StatusOr<std::unique_ptr<Logging>> Start(const std::string& level,
                                                        const std::string& format);

  // Writes what is buffered, for which a slow reader gets a second, and logs nothing from then on.
  // No other thread may be logging.
  ~Logging();

  // Returns the number of lines that this process has dropped. Thread-safe.
  static std::int64_t DroppedLines();

 private:
  class Sink;
  Logging(std::shared_ptr<Sink> sink, spdlog::level::level_enum level, bool json);

  const std::shared_ptr<Sink> sink_;
  std::shared_ptr<spdlog::logger> logger_;
  std::shared_ptr<spdlog::logger> field_logger_;
  // Ends first, so that it never is the one to free a logger: ThreadSanitizer, which does not watch
  // spdlog's library, would not see why that is safe.
  const std::shared_ptr<spdlog::details::thread_pool> thread_;
};

// A line of the log with fields. Thread-compatible.
class LogLine {
 public:
  explicit LogLine(std::string_view message);
  // Adds a field. `key` must be a word. A value is cut after 128 bytes. In the format text, one
  // that is not plain is quoted.
  LogLine& Add(std::string_view key, std::string_view value);
  LogLine& Add(std::string_view key, std::int64_t value);
  // Adds the field `key`_ms, in milliseconds.
  LogLine& Add(std::string_view key, absl::Duration value);
  void Write(spdlog::level::level_enum level) const;

 private:
  // `written` is the value as the format of the log has it.
  LogLine& AddWritten(std::string_view key, std::string_view written);

  std::string text_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_LOGGING_LOGGING_H_
