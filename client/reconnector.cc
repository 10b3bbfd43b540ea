#include "client/reconnector.h"

#include <algorithm>
#include <system_error>

#include "absl/time/time.h"
#include "base/clock.h"
#include "client/grpc_time.h"

namespace hellocnn::client {
namespace {

// The interval at which Run checks whether the channels are connected. It does not delay
// reconnecting: gRPC works on the channels all the time that a thread waits in it. The thread only
// stays up to this much longer than it must.
constexpr absl::Duration kBetweenLooks = absl::Seconds(1);

bool IsBroken(const std::shared_ptr<grpc::Channel>& channel) {
  const grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/false);
  return state == GRPC_CHANNEL_CONNECTING || state == GRPC_CHANNEL_TRANSIENT_FAILURE;
}

}  // namespace

Reconnector::~Reconnector() {
  queue_.Shutdown();  // ends the wait of Run at once
  if (thread_.joinable()) thread_.join();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

void Reconnector::Mend() {
  if (std::none_of(channels_.begin(), channels_.end(), IsBroken)) return;
  const MutexLock lock(&mutex_);
  if (running_) return;
  running_ = true;
  if (thread_.joinable()) thread_.join();  // it has nothing left to do
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error&) {
    running_ = false;  // no thread could start: the next call that fails tries again
  }
}

void Reconnector::Run() {
  void* tag = nullptr;
  bool ok = false;
  while (std::any_of(channels_.begin(), channels_.end(), IsBroken)) {
    const Instant next_look = Clock::Monotonic()->Now() + kBetweenLooks;
    if (queue_.AsyncNext(&tag, &ok, ToGrpcTime(next_look)) == grpc::CompletionQueue::SHUTDOWN) {
      return;
    }
  }
  const MutexLock lock(&mutex_);
  running_ = false;
}

}  // namespace hellocnn::client
