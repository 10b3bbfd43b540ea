// Computes a request with a second version of its model, and compares the results.
#ifndef HELLOCNN_SERVER_SERVING_COMPARISON_H_
#define HELLOCNN_SERVER_SERVING_COMPARISON_H_

#include <span>

#include "hellocnn/image.h"
#include "server/observability/events.h"
#include "server/scheduling/job.h"
#include "server/serving/model_registry.h"

namespace hellocnn::server {

// Returns how far two rows of log-probabilities are apart: the largest difference of the
// log-probabilities of a class to which at least one of them gives a probability of 1% or more.
// Less likely classes decide nothing, and theirs differ a lot. 0: equal. 0.1: no likely class has a
// probability that is more than about 10% larger or smaller. At most 10, so that sums stay finite.
double LogProbabilityDistance(std::span<const float> a, std::span<const float> b);

// A request that a version has computed, all of it.
struct ComputedRequest {
  std::span<const ImageView> images;
  std::span<const float> log_probabilities;  // row-major, [images, classes]
  JobTiming timing;
};

// Compares the results of candidates with those of current versions, and tells events about it.
//
// The second version computes the images after the first one has, from a copy, so no response waits
// for it. Requests come first: what is compared is computed only if no batch of requests is due,
// and nothing is copied if a whole batch or more waits, or if nobody reads the statistics.
// Thread-safe.
class Comparer {
 public:
  // Registers the reasons. `events` and `clock` outlive all comparisons.
  Comparer(Events* events, const Clock* clock);

  // Starts to compare, if `route` says so, what `route.responds` has computed. Copies it, so it may
  // go after the call. Does not block.
  void Compare(const Route& route, const ComputedRequest& computed) const;

 private:
  class Comparison;

  Events* const events_;
  const Clock* const clock_;
  const ReasonId busy_;    // too much waits
  const ReasonId failed_;  // it was dropped, or could not be computed
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SERVING_COMPARISON_H_
