#include "server/observability/logging/logging.h"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/sinks/sink.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/patient_write.h"
#include "base/shown.h"

namespace hellocnn::server {
namespace {

// While the sink is not told to end, only this long passes until it looks again.
constexpr absl::Duration kPatience = absl::Milliseconds(50);
constexpr absl::Duration kPatienceAtTheEnd = absl::Seconds(1);

// Of the message and fields in a line, so that with the rest it is no longer than kLongestLine.
constexpr std::size_t kLongestMessage = kLongestLine - 128;
// Of a field's value, in bytes. The few that there are fit into a line even if all is escaped.
constexpr std::size_t kLongestValue = 128;

// The logger of LogLine, whose messages are already in the format of the log.
constexpr char kFields[] = "fields";

std::atomic<std::int64_t> unwritten_lines{0};
// Written only while nothing else runs.
bool in_json = false;
std::shared_ptr<spdlog::logger> field_logger;
std::weak_ptr<spdlog::details::thread_pool> log_thread;

std::string Quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', /*ensure_ascii=*/false,
                                   nlohmann::json::error_handler_t::replace);
}

// Writes the message of a record in the format of the log. What clients, model cards and paths have
// in it neither acts on a terminal nor looks like another line of the log.
class SafeMessage : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& record, const std::tm& /*time*/,
              spdlog::memory_buf_t& line) override {
    const std::string_view payload(record.payload.data(), record.payload.size());
    const bool has_fields =
        std::string_view(record.logger_name.data(), record.logger_name.size()) == kFields;
    std::string text = Formatted(payload, has_fields);
    for (std::size_t size = kLongestMessage; text.size() > kLongestMessage; size /= 2) {
      text = Formatted(std::string(payload.substr(0, size)) + "…", has_fields);
    }
    line.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<spdlog::custom_flag_formatter> clone() const override {
    return std::make_unique<SafeMessage>();
  }

 private:
  static std::string Formatted(std::string_view payload, bool has_fields) {
    if (!in_json) return Printable(payload);
    return has_fields ? std::string(payload) : absl::StrCat("\"message\":", Quoted(payload));
  }
};

std::optional<spdlog::level::level_enum> LevelOf(const std::string& name) {
  // spdlog::level::from_str takes an unknown name for "off", so a typo would silence the server.
  if (name == "debug") return spdlog::level::debug;
  if (name == "info") return spdlog::level::info;
  if (name == "warn") return spdlog::level::warn;
  if (name == "error") return spdlog::level::err;
  if (name == "off") return spdlog::level::off;
  return std::nullopt;
}

}  // namespace

// spdlog calls it on the thread of the log only.
class Logging::Sink final : public spdlog::sinks::sink {
 public:
  void log(const spdlog::details::log_msg& record) override {
    spdlog::memory_buf_t line;
    formatter_->format(record, line);
    Written written;
    do {
      written = WriteLine(STDERR_FILENO, {line.data(), line.size()}, Patience());
    } while (written == Written::kNotYet && Patience() > absl::ZeroDuration());
    if (written != Written::kAll) unwritten_lines.fetch_add(1, std::memory_order_relaxed);
  }
  void flush() override {}
  void set_pattern(const std::string& pattern) override {
    set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern));
  }
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override {
    formatter_ = std::move(formatter);
  }

  // Waits for the reader until then only. Thread-safe.
  void EndBy(Instant end) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    end_ = end;
  }

 private:
  absl::Duration Patience() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return std::clamp(end_ - Clock::Monotonic()->Now(), absl::ZeroDuration(), kPatience);
  }

  std::unique_ptr<spdlog::formatter> formatter_;
  Mutex mutex_;
  Instant end_ ABSL_GUARDED_BY(mutex_) = Instant::InfiniteFuture();
};

absl::StatusOr<std::unique_ptr<Logging>> Logging::Start(const std::string& level,
                                                        const std::string& format) {
  const std::optional<spdlog::level::level_enum> threshold = LevelOf(level);
  if (!threshold.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat("log level is \"", Shown(level),
                                                   "\", wanted debug, info, warn, error or off"));
  }
  if (format != "text" && format != "json") {
    return absl::InvalidArgumentError(
        absl::StrCat("log format is \"", Shown(format), "\", wanted text or json"));
  }
  return std::unique_ptr<Logging>(
      new Logging(std::make_shared<Sink>(), *threshold, format == "json"));
}

Logging::Logging(std::shared_ptr<Sink> sink, spdlog::level::level_enum level, bool json)
    : sink_(std::move(sink)),
      thread_(std::make_shared<spdlog::details::thread_pool>(kBufferedLines, 1)) {
  in_json = json;
  log_thread = thread_;
  const auto make_logger = [&](const char* name) {
    auto logger = std::make_shared<spdlog::async_logger>(
        name, sink_, thread_, spdlog::async_overflow_policy::overrun_oldest);
    logger->set_level(level);
    return logger;
  };
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<SafeMessage>('*').set_pattern(
      json ? "{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",\"level\":\"%l\",%*}"
           : "%Y-%m-%dT%H:%M:%S.%eZ %l %*");
  sink_->set_formatter(std::move(formatter));
  logger_ = make_logger("");
  field_logger_ = make_logger(kFields);
  spdlog::set_default_logger(logger_);
  field_logger = field_logger_;
}

Logging::~Logging() {
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>()));
  field_logger = nullptr;
  sink_->EndBy(Clock::Monotonic()->Now() + kPatienceAtTheEnd);
  unwritten_lines += static_cast<std::int64_t>(thread_->overrun_counter());
  // The thread ends when it has written or dropped what is buffered.
}

std::int64_t Logging::DroppedLines() {
  const std::shared_ptr<spdlog::details::thread_pool> thread = log_thread.lock();
  const auto overrun = thread == nullptr ? 0 : static_cast<std::int64_t>(thread->overrun_counter());
  return unwritten_lines.load(std::memory_order_relaxed) + overrun;
}

LogLine::LogLine(std::string_view message)
    : text_(in_json ? absl::StrCat("\"message\":", Quoted(message)) : std::string(message)) {}

LogLine& LogLine::Add(std::string_view key, std::string_view value) {
  value = value.substr(0, kLongestValue);
  if (in_json) return AddWritten(key, Quoted(value));
  const bool plain = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c != '"' && c != '=' && c != '\\';
  });
  return AddWritten(key, plain ? std::string(value) : Quoted(value));
}

LogLine& LogLine::Add(std::string_view key, std::int64_t value) {
  return AddWritten(key, absl::StrCat(value));
}

LogLine& LogLine::Add(std::string_view key, absl::Duration value) {
  const double milliseconds =
      absl::ToDoubleMicroseconds(absl::Floor(value, absl::Microseconds(1))) / 1000;
  return AddWritten(std::string(key) + "_ms", nlohmann::json(milliseconds).dump());
}

LogLine& LogLine::AddWritten(std::string_view key, std::string_view written) {
  text_.append(in_json ? ",\"" : " ").append(key).append(in_json ? "\":" : "=").append(written);
  return *this;
}

void LogLine::Write(spdlog::level::level_enum level) const {
  if (field_logger != nullptr) field_logger->log(level, "{}", text_);
}

}  // namespace hellocnn::server
