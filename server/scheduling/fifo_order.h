// First in, first out.
#ifndef HELLOCNN_SERVER_SCHEDULING_FIFO_ORDER_H_
#define HELLOCNN_SERVER_SCHEDULING_FIFO_ORDER_H_

#include <list>
#include <memory_resource>

#include "server/scheduling/job_order.h"

namespace hellocnn::server {

// Jobs are taken in the order in which they came, whoever sent them. Whoever finds the queue full
// is rejected. See JobOrder for the contract.
class FifoOrder final : public JobOrder {
 public:
  // `memory` outlives the object.
  explicit FifoOrder(std::pmr::memory_resource* memory) : jobs_(memory) {}

  void Add(Waiting* job) override;
  Turn Next() const override;
  void Take(Waiting* job, int images) override;
  void Remove(Waiting* job) override;
  int ImagesBefore(const Waiting& /*newcomer*/) const override { return images_; }
  Waiting* ToDisplace(const Waiting& /*newcomer*/, int /*excess*/) const override {
    return nullptr;
  }

 private:
  std::pmr::list<Waiting*> jobs_;
  int images_ = 0;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_SCHEDULING_FIFO_ORDER_H_
