#include "server/scheduling/fifo_order.h"

namespace hellocnn::server {

void FifoOrder::Add(Waiting* job) {
  job->place = jobs_.insert(jobs_.end(), job);
  images_ += job->queued;
}

JobOrder::Turn FifoOrder::Next() const {
  if (jobs_.empty()) return {};
  return {.job = jobs_.front(), .images = jobs_.front()->queued};
}

void FifoOrder::Take(Waiting* job, int images) {
  images_ -= images;
  job->queued -= images;
  if (job->queued == 0) jobs_.erase(job->place);
}

void FifoOrder::Remove(Waiting* job) {
  images_ -= job->queued;
  job->queued = 0;
  jobs_.erase(job->place);
}

}  // namespace hellocnn::server
