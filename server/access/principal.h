// Somebody who is known to the server, and what it lets them do.
#ifndef HELLOCNN_SERVER_ACCESS_PRINCIPAL_H_
#define HELLOCNN_SERVER_ACCESS_PRINCIPAL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/token_bucket.h"
#include "server/access/right.h"

namespace hellocnn::server {

// The name of everybody whom no other principal is.
inline constexpr std::string_view kAnonymous = "anonymous";

// How many images may be classified: so many at once when nothing was sent for a while, and so many
// a second or a day all the time. Unset members are no limit.
struct Allowance {
  std::optional<double> images_per_second;
  std::optional<double> burst_images;  // unset: those of one second
  std::optional<double> images_per_day;

  bool operator==(const Allowance&) const = default;
};

// What is left of an allowance. Thread-safe.
class Budget {
 public:
  Budget(const Allowance& allowance, Instant now);

  const Allowance& allowance() const { return allowance_; }
  // Takes `images` if anything is left, and then owes what was more than that, so that the size of
  // a request does not matter. Otherwise takes nothing, and returns RESOURCE_EXHAUSTED with the
  // limit and with RetryAfter, when something is left again. With 0 images it only looks.
  absl::Status Take(int images, Instant now) ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns images that were taken and then not accepted.
  void GiveBack(int images) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const Allowance allowance_;
  Mutex mutex_;
  std::optional<TokenBucket> second_ ABSL_GUARDED_BY(mutex_);
  std::optional<TokenBucket> day_ ABSL_GUARDED_BY(mutex_);
};

// Thread-safe. Immutable but for the budget, which outlives a principal whose file is read again.
class Principal {
 public:
  // `models` are names, or beginnings of names followed by "*"; empty for all.
  Principal(std::string name, std::set<Right> rights, std::vector<std::string> models,
            std::shared_ptr<Budget> budget);

  const std::string& name() const { return name_; }
  // Returns the same number for the same name within this process.
  std::uint64_t number() const { return number_; }
  const std::shared_ptr<Budget>& budget() const { return budget_; }

  // PERMISSION_DENIED, with a message that names the principal and what it lacks.
  absl::Status CheckRight(Right right) const;
  absl::Status CheckModel(std::string_view model) const;
  bool MayUse(std::string_view model) const;
  // Returns whether there may be models that it may not use.
  bool is_limited() const { return !models_.empty(); }
  // Returns whether it is everybody who is not known.
  bool is_anonymous() const { return name_ == kAnonymous; }

 private:
  const std::string name_;
  const std::uint64_t number_;
  const std::set<Right> rights_;
  const std::vector<std::string> models_;
  const std::shared_ptr<Budget> budget_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_ACCESS_PRINCIPAL_H_
