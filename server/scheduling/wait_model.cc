#include "server/scheduling/wait_model.h"

namespace hellocnn::server {

void WaitModel::OnTake(Instant now, int images, bool left) {
  // A worker that finds images that were there before has come as soon as it could.
  if (left_) taking_.Add(now - last_take_, images);
  last_take_ = now;
  left_ = left;
}

void WaitModel::OnComputed(int images, absl::Duration compute) { computing_.Add(compute, images); }

}  // namespace hellocnn::server
