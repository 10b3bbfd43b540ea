#include "loadgen/run/server_view.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "loadgen/run/http_get.h"

namespace hellocnn::load {
namespace {

constexpr int kLooks = 5;
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(50);

constexpr char kImages[] = "hellocnn_images_computed_total";

// Seconds are added up in another order after a version of a model was unloaded. This share of a
// sum is no decrease.
constexpr double kRounding = 1e-9;

constexpr char kStartTime[] = "process_start_time_seconds";

// Returns true if two start times, in seconds, may be those of one process. Servers add the time of
// the boot, in whole seconds, and hundredths of a second since then. A small step of the wall clock
// changes the former by one.
bool SameStart(double one, double other) {
  constexpr double kHalfOfHundredth = 0.005;
  const double apart = std::abs(one - other);
  return apart < kHalfOfHundredth || std::abs(apart - 1) < kHalfOfHundredth;
}

std::string Date(double seconds) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", absl::UnixEpoch() + absl::Seconds(seconds),
                          absl::UTCTimeZone());
}

ServerView Restarted(const std::string& sign) {
  ServerView view;
  view.restarted = true;
  view.problem = "the server was restarted during the run: " + sign;
  return view;
}

// Computes the growth of each sum, and remembers the first one that decreased.
class Growth {
 public:
  Growth(const MetricsPage& before, const MetricsPage& after) : before_(before), after_(after) {}

  std::optional<double> Of(const std::string& name, const MetricsPage::Labels& labels = {}) {
    const std::optional<double> after = after_.Sum(name, labels);
    if (!after.has_value()) return std::nullopt;
    const double growth = *after - before_.Sum(name, labels).value_or(0);
    if (growth < -kRounding * *after && shrunk_.empty()) shrunk_ = name;
    return growth;
  }

  // Returns the sum over both classify methods. GetModel is not part of the load.
  std::optional<double> OfMethods(const std::string& name, MetricsPage::Labels labels = {}) {
    std::optional<double> sum;
    for (const char* method : {"Classify", "ClassifyStream"}) {
      labels["method"] = method;
      if (const auto growth = Of(name, labels)) sum = sum.value_or(0) + *growth;
    }
    return sum;
  }

  const std::string& shrunk() const { return shrunk_; }

 private:
  const MetricsPage& before_;
  const MetricsPage& after_;
  std::string shrunk_;
};

// Returns nullopt if there are no values to average.
std::optional<double> Mean(std::optional<double> sum, std::optional<double> count) {
  if (!sum.has_value() || !count.has_value() || *count <= 0) return std::nullopt;
  return *sum / *count;
}

}  // namespace

ServerView Difference(const Look& before, const Look& after) {
  const std::optional<double> was = before.page.Sum(kStartTime);
  const std::optional<double> is = after.page.Sum(kStartTime);
  if (was.has_value() && is.has_value() && !SameStart(*is, *was)) {
    return Restarted(absl::StrCat("the process that answered at the end started at ", Date(*is),
                                  ", the one at the beginning at ", Date(*was)));
  }
  Growth growth(before.page, after.page);
  ServerView view;
  view.images_answered = growth.Of(kImages, {{"outcome", "answered"}});
  view.images_dropped = growth.Of("hellocnn_images_dropped_total");
  view.requests_answered = growth.OfMethods("hellocnn_requests_total", {{"code", "OK"}});
  view.requests_refused = growth.Of("hellocnn_requests_refused_total");
  view.batches = growth.Of("hellocnn_batch_size_count");
  view.mean_batch_size = Mean(growth.Of("hellocnn_batch_size_sum"), view.batches);
  view.mean_request_seconds = Mean(growth.OfMethods("hellocnn_request_duration_seconds_sum"),
                                   growth.OfMethods("hellocnn_request_duration_seconds_count"));
  view.mean_queue_seconds = Mean(growth.Of("hellocnn_queue_duration_seconds_sum"),
                                 growth.Of("hellocnn_queue_duration_seconds_count"));
  view.mean_compute_seconds = Mean(growth.Of("hellocnn_compute_duration_seconds_sum"),
                                   growth.Of("hellocnn_compute_duration_seconds_count"));
  view.cpu_seconds = growth.Of("process_cpu_seconds_total");
  view.seconds = absl::ToDoubleSeconds(after.at - before.at);
  if (!growth.shrunk().empty()) return Restarted("its " + growth.shrunk() + " has gone down");
  return view;
}

absl::StatusOr<Look> LookAt(const std::string& url, const std::atomic<bool>& stop) {
  for (int look = 1;; ++look) {
    const absl::StatusOr<std::string> text = HttpGet(url, stop);
    if (!text.ok()) return text.status();
    absl::StatusOr<MetricsPage> page = MetricsPage::Parse(*text);
    if (!page.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(url, " is no page of metrics: ", std::string(page.status().message())));
    }
    if (!page->Sum(kImages).has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat(url, ": there is no ", kImages, " in it, which a HelloCNN server has"));
    }
    if (look == kLooks || page->Sum("hellocnn_requests_in_flight").value_or(0) == 0) {
      return Look{*std::move(page), Clock::Monotonic()->Now()};
    }
    absl::SleepFor(kBetweenLooks);
  }
}

}  // namespace hellocnn::load
