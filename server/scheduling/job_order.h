// In which order jobs leave a batch queue, and which of them leaves it when it is full.
#ifndef HELLOCNN_SERVER_SCHEDULING_JOB_ORDER_H_
#define HELLOCNN_SERVER_SCHEDULING_JOB_ORDER_H_

#include <cstdint>
#include <list>
#include <memory_resource>

namespace hellocnn::server {

enum class Priority { kNormal, kLow };

// Who sent a job, and how urgent it is.
struct Origin {
  std::uint64_t caller = 0;  // equal for the jobs of one caller
  Priority priority = Priority::kNormal;
};

// A queued job as an order sees it.
struct Waiting {
  Origin origin;
  int queued = 0;  // images that wait; 0 while the job is in no queue

  // The following members belong to the order.
  bool started = false;  // some of its images were taken
  std::pmr::list<Waiting*>::iterator place;
};

// The policy of a BatchQueue, which has all other rules. There are two implementations: FairOrder
// and FifoOrder. The owner of a job keeps it in place until it has left.
//
// Thread-compatible.
class JobOrder {
 public:
  // A job that is next, and how many of its images.
  struct Turn {
    Waiting* job = nullptr;  // null if nothing is queued
    int images = 0;          // at least 1, and at most those that wait
  };

  virtual ~JobOrder() = default;

  // Adds a job with at least one image.
  virtual void Add(Waiting* job) = 0;
  // Returns whose turn it is.
  virtual Turn Next() const = 0;
  // Takes `images` of the job whose turn it is, at least one and no more than are due. The job
  // leaves with its last image.
  virtual void Take(Waiting* job, int images) = 0;
  // Removes a job with all of its images that wait.
  virtual void Remove(Waiting* job) = 0;

  // Returns how many of the queued images will be taken before the last one of `newcomer`, which is
  // not queued, if nobody else comes.
  virtual int ImagesBefore(const Waiting& newcomer) const = 0;
  // Returns a job that must leave the queue for `newcomer`, which is not queued and for which there
  // are `excess` images too many. It has not been started. Null if the newcomer must be rejected.
  virtual Waiting* ToDisplace(const Waiting& newcomer, int excess) const = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SCHEDULING_JOB_ORDER_H_
