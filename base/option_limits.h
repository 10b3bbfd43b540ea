// The largest values of options of the server that the command line offers to try.
#ifndef HELLOCNN_BASE_OPTION_LIMITS_H_
#define HELLOCNN_BASE_OPTION_LIMITS_H_

#include "absl/time/time.h"

namespace hellocnn {

inline constexpr int kMostThreads = 1024;
inline constexpr int kLargestBatch = 1024;  // images
inline constexpr absl::Duration kLongestQueueDelay = absl::Seconds(1);

}  // namespace hellocnn

#endif  // HELLOCNN_BASE_OPTION_LIMITS_H_
