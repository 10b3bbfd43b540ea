// How commands wait while the queue of the server is full, which RESOURCE_EXHAUSTED means.
#ifndef HELLOCNN_CLI_COMMANDS_FULL_QUEUE_H_
#define HELLOCNN_CLI_COMMANDS_FULL_QUEUE_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"

namespace hellocnn::cli {

struct FullQueueBackoff {
  int most_attempts = 12;  // of a call, >= 1
  // Before the first retry. Each retry doubles it.
  absl::Duration first = absl::Milliseconds(5);
  // The backoff does not grow beyond this.
  absl::Duration longest = absl::Seconds(1);

  // Returns the backoff after `attempts` attempts, >= 1, that all met a full queue.
  absl::Duration After(int attempts) const {
    constexpr int kMostDoublings = 20;
    return std::min(first * (std::int64_t{1} << std::min(attempts - 1, kMostDoublings)), longest);
  }
};

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_COMMANDS_FULL_QUEUE_H_
