#include "loadgen/core/arrivals.h"

#include <cmath>
#include <random>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/byte_order_mark.h"
#include "base/input.h"

namespace hellocnn::load {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{1} << 30;
constexpr double kMostSeconds = 1e6;  // longest recorded schedule: 11 days

Nanos FromSeconds(double seconds) {
  return Nanos(static_cast<std::int64_t>(std::llround(seconds * 1e9)));
}

class Constant : public Arrivals {
 public:
  explicit Constant(double rate) : rate_(rate) {}
  std::optional<Nanos> Next() override { return FromSeconds(static_cast<double>(next_++) / rate_); }

 private:
  const double rate_;
  std::int64_t next_ = 0;
};

class Poisson : public Arrivals {
 public:
  Poisson(double rate, std::uint64_t seed) : random_(seed), gap_(rate) {}
  std::optional<Nanos> Next() override {
    at_ += gap_(random_);
    return FromSeconds(at_);
  }

 private:
  std::mt19937_64 random_;
  std::exponential_distribution<double> gap_;
  double at_ = 0;
};

// The n-th request comes when the area under the rate has reached n.
class Ramp : public Arrivals {
 public:
  Ramp(double from, double to, double over) : from_(from), to_(to), over_(over) {}
  std::optional<Nanos> Next() override {
    const auto n = static_cast<double>(next_++);
    const double area = (from_ + to_) / 2 * over_;
    if (n >= area) return FromSeconds(over_ + (n - area) / to_);
    // from t + (to - from) / (2 over) t^2 = n, solved in the form that also holds for slope 0.
    const double slope = (to_ - from_) / over_;
    return FromSeconds(2 * n / (from_ + std::sqrt(from_ * from_ + 2 * slope * n)));
  }

 private:
  const double from_;
  const double to_;
  const double over_;
  std::int64_t next_ = 1;  // request 0 of a ramp from 0 would come alone at its start
};

class Recorded : public Arrivals {
 public:
  explicit Recorded(std::shared_ptr<const std::vector<Nanos>> times) : times_(std::move(times)) {}
  std::optional<Nanos> Next() override {
    if (next_ == times_->size()) return std::nullopt;
    return (*times_)[next_++];
  }

 private:
  const std::shared_ptr<const std::vector<Nanos>> times_;
  std::size_t next_ = 0;
};

class Strided : public Arrivals {
 public:
  Strided(std::unique_ptr<Arrivals> all, int first, int step)
      : all_(std::move(all)), skip_(first), step_(step) {}
  std::optional<Nanos> Next() override {
    for (; skip_ > 0; --skip_) {
      if (!all_->Next().has_value()) return std::nullopt;
    }
    skip_ = step_ - 1;
    return all_->Next();
  }

 private:
  const std::unique_ptr<Arrivals> all_;
  int skip_;
  const int step_;
};

}  // namespace

std::unique_ptr<Arrivals> ConstantArrivals(double rate) { return std::make_unique<Constant>(rate); }

std::unique_ptr<Arrivals> PoissonArrivals(double rate, std::uint64_t seed) {
  return std::make_unique<Poisson>(rate, seed);
}

std::unique_ptr<Arrivals> RampArrivals(double from, double to, Nanos over) {
  return std::make_unique<Ramp>(from, to, std::chrono::duration<double>(over).count());
}

std::unique_ptr<Arrivals> RecordedArrivals(std::shared_ptr<const std::vector<Nanos>> times) {
  return std::make_unique<Recorded>(std::move(times));
}

std::unique_ptr<Arrivals> EveryNth(std::unique_ptr<Arrivals> all, int first, int step) {
  return std::make_unique<Strided>(std::move(all), first, step);
}

absl::StatusOr<std::vector<Nanos>> ReadSendTimes(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadText(path, kMaxFileBytes);
  if (!bytes.ok()) return bytes.status();
  std::istringstream file{std::string(WithoutByteOrderMark(*bytes))};
  std::vector<Nanos> times;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    absl::StripAsciiWhitespace(&line);
    if (line.empty() || line[0] == '#') continue;
    double seconds = 0;
    if (!absl::SimpleAtod(line, &seconds) || !(seconds >= 0 && seconds <= kMostSeconds)) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ", line ", number, ": '", line.substr(0, 40),
          "' is not a send time; wanted are seconds since the start, 0 to ", kMostSeconds));
    }
    const Nanos at = FromSeconds(seconds);
    if (!times.empty() && at < times.back()) {
      return absl::InvalidArgumentError(absl::StrCat(
          path, ", line ", number, ": ", line, " comes after a later time; wanted is ascending"));
    }
    times.push_back(at);
  }
  if (times.empty()) return absl::InvalidArgumentError(path + ": there is no send time in it");
  return times;
}

}  // namespace hellocnn::load
