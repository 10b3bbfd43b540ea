#include "server/observability/prometheus/process_metrics.h"

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>
#include <sys/resource.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

#include "server/observability/logging/logging.h"

namespace hellocnn::server {
namespace {

// Some fields of /proc/self/stat, which proc(5) describes.
struct Stat {
  double threads = 0;
  double start_ticks = 0;  // since boot
  double virtual_bytes = 0;
  double resident_pages = 0;
};

std::optional<Stat> ReadStat() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  // Field 2 is the program's name in parentheses, which may itself hold blanks and parentheses.
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream rest(line.substr(name_end + 1));
  Stat stat;
  std::string skipped;
  for (int field = 3; field <= 24; ++field) {
    switch (field) {
      case 20:
        rest >> stat.threads;
        break;
      case 22:
        rest >> stat.start_ticks;
        break;
      case 23:
        rest >> stat.virtual_bytes;
        break;
      case 24:
        rest >> stat.resident_pages;
        break;
      default:
        rest >> skipped;
    }
  }
  return rest ? std::optional(stat) : std::nullopt;
}

// When the machine was started, in seconds since 1970.
std::optional<double> ReadBootTime() {
  std::ifstream file("/proc/stat");
  std::string name;
  while (file >> name) {
    double seconds;
    if (name == "btime" && file >> seconds) return seconds;
    std::getline(file, name);
  }
  return std::nullopt;
}

std::optional<double> CountOpenFiles() {
  std::error_code error;
  const std::filesystem::directory_iterator files("/proc/self/fd", error);
  if (error) return std::nullopt;
  // One of the descriptors belongs to the iterator.
  return static_cast<double>(std::distance(begin(files), end(files)) - 1);
}

prometheus::MetricFamily Family(const char* name, const char* help, prometheus::MetricType type,
                                double value) {
  prometheus::ClientMetric metric;
  metric.counter.value = value;
  metric.gauge.value = value;
  return {name, help, type, {metric}};
}

}  // namespace

std::vector<prometheus::MetricFamily> CollectProcessMetrics() {
  using prometheus::MetricType;
  std::vector<prometheus::MetricFamily> families;
  const auto gauge = [&families](const char* name, const char* help, std::optional<double> value) {
    if (value.has_value()) families.push_back(Family(name, help, MetricType::Gauge, *value));
  };
  // /proc/self/stat has the CPU time too, but in hundredths of a second.
  timespec cpu{};
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0) {
    families.push_back(Family(
        "process_cpu_seconds_total",
        "CPU time that the process has used, in user and in system mode.", MetricType::Counter,
        static_cast<double>(cpu.tv_sec) + static_cast<double>(cpu.tv_nsec) * 1e-9));
  }
  if (const std::optional<Stat> stat = ReadStat()) {
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    gauge("process_resident_memory_bytes", "Resident memory of the process.",
          stat->resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
    gauge("process_virtual_memory_bytes", "Virtual memory of the process.", stat->virtual_bytes);
    gauge("process_threads", "Number of threads of the process.", stat->threads);
    if (const std::optional<double> boot = ReadBootTime()) {
      gauge("process_start_time_seconds",
            "Time at which the process was started, in seconds since 1970.",
            *boot + stat->start_ticks / ticks);
    }
  }
  gauge("process_open_fds", "Number of open file descriptors.", CountOpenFiles());
  families.push_back(Family("hellocnn_log_dropped_total",
                            "Lines of the log that were dropped, because standard error takes "
                            "them too slowly or not at all.",
                            MetricType::Counter, static_cast<double>(Logging::DroppedLines())));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    gauge("process_max_fds", "Number of file descriptors that may be open.",
          static_cast<double>(limit.rlim_cur));
  }
  return families;
}

}  // namespace hellocnn::server
