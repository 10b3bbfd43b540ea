#include "loadgen/run/connect.h"

#include <grpc/support/time.h>
#include <sys/resource.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/version.h"
#include "client/channel.h"
#include "client/channel_options.h"
#include "client/token.h"

namespace hellocnn::load {
namespace {

// Files that are open besides the connections, at most.
constexpr int kOtherFiles = 32;
// The longest time in which Connect does not notice that it must stop.
constexpr Nanos kConnectNap = std::chrono::milliseconds(50);

// Raises the limit of open files as far as the process may, and returns it.
std::int64_t RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::numeric_limits<std::int64_t>::max();
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur == RLIM_INFINITY ? std::numeric_limits<std::int64_t>::max()
                                         : static_cast<std::int64_t>(limit.rlim_cur);
}

}  // namespace

absl::StatusOr<Channels> Connect(const client::ClientOptions& options, int count, Nanos patience,
                                 const std::atomic<bool>& stop) {
  if (const std::int64_t limit = RaiseFileLimit(); count + kOtherFiles > limit) {
    return absl::ResourceExhaustedError(
        absl::StrCat(count, " connections need as many open files, and this process may have ",
                     limit, "; raise the limit with ulimit -n, or use fewer connections"));
  }
  // Retries would hide failures, and every failure counts.
  client::ClientOptions without_retries = options;
  without_retries.retry = client::RetryOptions{.max_attempts = 1};
  const absl::StatusOr<std::shared_ptr<client::TokenSource>> token =
      client::TokenSource::Open(options, Clock::Monotonic()->Now());
  if (!token.ok()) return token.status();
  Channels channels;
  for (int i = 0; i < count; ++i) {
    grpc::ChannelArguments arguments = client::ChannelArguments(without_retries);
    arguments.SetUserAgentPrefix(absl::StrCat("hellocnn-load/", kVersion));
    // gRPC's optional parts cost a sixth of the instructions of a call. Only deadlines are needed
    // here.
    arguments.SetInt(GRPC_ARG_MINIMAL_STACK, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_DEADLINE_CHECKS, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_CHANNELZ, 0);
    arguments.SetMaxReceiveMessageSize(-1);
    channels.push_back(client::MakeChannel(options, arguments, *token));
    channels.back()->GetState(/*try_to_connect=*/true);
  }
  const SteadyClock::time_point until = SteadyClock::now() + patience;
  for (int i = 0; i < count; ++i) {
    while (!channels[i]->WaitForConnected(gpr_time_from_nanos(kConnectNap.count(), GPR_TIMESPAN))) {
      if (stop.load())
        return absl::CancelledError("interrupted while connecting to " + options.target);
      if (SteadyClock::now() < until) continue;
      return absl::UnavailableError(absl::StrCat("only ", i, " of ", count, " connections to ",
                                                 options.target, " were made within ",
                                                 absl::FormatDuration(absl::FromChrono(patience))));
    }
  }
  return channels;
}

}  // namespace hellocnn::load
