// Statistics of requests that have ended. They are added up by thread and interval, then merged.
#ifndef HELLOCNN_LOADGEN_CORE_TALLY_H_
#define HELLOCNN_LOADGEN_CORE_TALLY_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "loadgen/core/arrivals.h"
#include "loadgen/core/histogram.h"
#include "loadgen/core/protocol.h"

namespace hellocnn::load {

inline constexpr int kCodes = 17;  // gRPC's status codes, OK = 0 to UNAUTHENTICATED = 16

// One request. All instants are since the start of the run.
struct Sample {
  Nanos intended;  // in a closed loop the same as sent
  Nanos sent;
  Nanos ended;
  // True if it was sent late because too many requests were in flight, not because the generator
  // was slow.
  bool held;
};

// Not thread-safe. Record allocates only for the first few messages of each kind of error.
struct Tally {
  // A send that is later than this counts as late.
  static constexpr Nanos kLate = std::chrono::milliseconds(1);
  static constexpr std::size_t kMessages = 3;

  // Latencies are those of requests that succeeded. A rejection within microseconds would make them
  // look better.
  Histogram latency;  // from the intended send to the end
  Histogram service;  // from the real send to the end
  Histogram lag;      // real minus intended send, of all requests
  // As the server reports them, and the rest of the service time.
  Histogram queue;
  Histogram compute;
  Histogram network;
  std::array<std::int64_t, kCodes> by_code{};
  std::array<std::vector<std::string>, kCodes> messages;  // the first kMessages different ones
  std::int64_t images = 0;                                // of requests that succeeded
  std::int64_t wrong = 0;                                 // of these images
  std::int64_t batch_sizes = 0;  // sum over the responses that `queue` counts
  std::int64_t late = 0;         // later than kLate because the generator was slow
  std::int64_t held = 0;
  Nanos last_ended{0};  // when the last request ended

  void Record(const Sample& sample, const Verdict& verdict);
  void Add(const Tally& other);
  void Clear();

  std::int64_t answered() const { return by_code[0]; }
  std::int64_t requests() const;
  std::int64_t failed() const { return requests() - answered(); }
  // Returns the mean size of the batches that requests were in, weighted by requests. Returns 0 if
  // the server reported none.
  double MeanBatchSize() const;
};

// "OK", "RESOURCE_EXHAUSTED", …
const char* CodeName(int code);

}  // namespace hellocnn::load

#endif  // HELLOCNN_LOADGEN_CORE_TALLY_H_
