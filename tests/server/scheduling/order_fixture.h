// Jobs that are plain values, for the tests of orders.
#ifndef HELLOCNN_TESTS_SERVER_SCHEDULING_ORDER_FIXTURE_H_
#define HELLOCNN_TESTS_SERVER_SCHEDULING_ORDER_FIXTURE_H_

#include <algorithm>
#include <deque>
#include <map>
#include <memory_resource>
#include <string>

#include "gtest/gtest.h"
#include "server/scheduling/job_order.h"

namespace hellocnn::server {

// Callers are letters. Those of low priority are shown in lower case, and others in upper case.
template <typename Order>
class OrderTest : public ::testing::Test {
 protected:
  template <typename... Args>
  explicit OrderTest(Args... args) : order_(args..., &memory_) {}

  static Waiting JobOf(char caller, int images, Priority priority = Priority::kNormal) {
    return {.origin = {.caller = static_cast<unsigned char>(caller), .priority = priority},
            .queued = images};
  }
  Waiting& Add(char caller, int images, Priority priority = Priority::kNormal) {
    Waiting& job = jobs_.emplace_back(JobOf(caller, images, priority));
    order_.Add(&job);
    return job;
  }
  void AddMany(int jobs, char caller, int images, Priority priority = Priority::kNormal) {
    for (int i = 0; i < jobs; ++i) Add(caller, images, priority);
  }

  // Takes `images`, or all that there are, and shows whose they were: "A8 B8 a1".
  std::string Take(int images) {
    std::string shown;
    while (images > 0) {
      const JobOrder::Turn turn = order_.Next();
      if (turn.job == nullptr) break;
      EXPECT_GE(turn.images, 1);
      EXPECT_LE(turn.images, turn.job->queued);
      const int count = std::min(turn.images, images);
      const int from = turn.job->origin.priority == Priority::kLow ? 'a' - 'A' : 0;
      const char name = static_cast<char>(turn.job->origin.caller + from);
      shown += (shown.empty() ? "" : " ") + std::string(1, name) + std::to_string(count);
      taken_[name] += count;
      order_.Take(turn.job, count);
      images -= count;
    }
    return shown;
  }
  int taken(char name) { return taken_[name]; }

  std::pmr::unsynchronized_pool_resource memory_;
  Order order_;

 private:
  std::deque<Waiting> jobs_;
  std::map<char, int> taken_;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_TESTS_SERVER_SCHEDULING_ORDER_FIXTURE_H_
