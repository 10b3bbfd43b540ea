#include "client/reconnector.h"

#include <algorithm>
#include <chrono>
#include <system_error>

namespace hellocnn::client {
namespace {

// How long Run waits before it looks whether it is still wanted.
constexpr std::chrono::milliseconds kSlice{20};

bool IsBroken(const std::shared_ptr<grpc::Channel>& channel) {
  const grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/false);
  return state == GRPC_CHANNEL_CONNECTING || state == GRPC_CHANNEL_TRANSIENT_FAILURE;
}

}  // namespace

Reconnector::~Reconnector() {
  {
    const absl::MutexLock lock(&mutex_);
    stop_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Reconnector::Mend() {
  if (std::none_of(channels_.begin(), channels_.end(), IsBroken)) return;
  const absl::MutexLock lock(&mutex_);
  if (running_) return;
  running_ = true;
  if (thread_.joinable()) thread_.join();  // it has nothing left to do
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error&) {
    running_ = false;  // no thread to be had: the next call that fails asks again
  }
}

void Reconnector::Run() {
  for (bool broken = true; broken;) {
    broken = false;
    for (const std::shared_ptr<grpc::Channel>& channel : channels_) {
      if (!IsBroken(channel)) continue;
      broken = true;
      channel->WaitForStateChange(channel->GetState(/*try_to_connect=*/false),
                                  std::chrono::system_clock::now() + kSlice);
      if (IsStopped()) return;
    }
  }
  const absl::MutexLock lock(&mutex_);
  running_ = false;
}

bool Reconnector::IsStopped() {
  const absl::MutexLock lock(&mutex_);
  return stop_;
}

}  // namespace hellocnn::client
