// A rate limit that lets bursts pass.
#ifndef HELLOCNN_BASE_TOKEN_BUCKET_H_
#define HELLOCNN_BASE_TOKEN_BUCKET_H_

#include <algorithm>

#include "absl/time/time.h"
#include "base/clock.h"

namespace hellocnn {

// Holds up to `burst` tokens, is full at first, and gains `per_second` tokens a second. Neither may
// be negative. Times must not be earlier than those before. Thread-compatible.
class TokenBucket {
 public:
  TokenBucket(double burst, double per_second, Instant now)
      : burst_(burst), per_second_(per_second), tokens_(burst), filled_(now) {}

  // Takes `tokens` at the time `now`. Returns false if there are fewer. They count as taken
  // nevertheless, so the bucket refuses until what it gains has paid the debt.
  bool Take(double tokens, Instant now) {
    Earn(absl::ToDoubleSeconds(now - filled_) * per_second_);
    filled_ = now;
    tokens_ -= tokens;
    return tokens_ >= 0;
  }
  // Takes `tokens` at the time `now` if there are as many, and else nothing. Returns whether it
  // did.
  bool TryTake(double tokens, Instant now) {
    if (Take(tokens, now)) return true;
    tokens_ += tokens;
    return false;
  }
  // Takes `tokens` at the time `now` if there is at least one, or the bucket is full; what there is
  // too little is owed. Returns zero then, and otherwise takes nothing and returns how long it
  // takes until there is one: infinitely long if nothing is gained.
  absl::Duration TakeOrWait(double tokens, Instant now) {
    Earn(absl::ToDoubleSeconds(now - filled_) * per_second_);
    filled_ = now;
    const double enough = std::min(burst_, 1.0);
    if (tokens_ >= enough) {
      tokens_ -= tokens;
      return absl::ZeroDuration();
    }
    // A little more, because of rounding.
    return absl::Seconds((enough - tokens_) / per_second_) + absl::Nanoseconds(2);
  }
  // Puts tokens in, as far as there is room.
  void Earn(double tokens) { tokens_ = std::min(burst_, tokens_ + tokens); }

 private:
  const double burst_;
  const double per_second_;
  double tokens_;
  Instant filled_;  // until when the gain has been put in
};

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_TOKEN_BUCKET_H_
