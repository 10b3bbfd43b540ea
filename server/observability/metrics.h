// What the calls tell about their work. prometheus-cpp stops in the .cc files of this folder
// and the headers that only they include.
#ifndef HELLOCNN_SERVER_OBSERVABILITY_METRICS_H_
#define HELLOCNN_SERVER_OBSERVABILITY_METRICS_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/observability/statistics.h"

namespace hellocnn::server {

enum class Method { kClassify, kClassifyStream, kGetModel };
inline constexpr std::size_t kMethods = 3;

// Why a request was answered without having been queued.
enum class Refusal { kQueueFull, kDraining, kLoading, kInvalid, kDeadline };
inline constexpr std::size_t kRefusals = 5;

// Counts nothing itself: that is what a server without metrics has.
//
// A request is a call, or one request of a stream. Of each, in this order: OnReceived; OnAccepted
// or OnRefused or, if its caller went before either, none; OnAnswered or OnAbandoned if all its
// images were computed; OnEnd.
//
// Thread-safe; never blocks for longer than a counter takes.
class Metrics {
 public:
  virtual ~Metrics() = default;
  // A request of so many bytes, serialised, is there.
  virtual void OnReceived(Method /*method*/, std::size_t /*bytes*/) {}
  // The queue has admitted it.
  virtual void OnAccepted(Method /*method*/, int /*images*/) {}
  virtual void OnRefused(Refusal /*reason*/) {}
  // It was computed, and its answer was sent.
  virtual void OnAnswered(const AnswerStatistics& /*answer*/) {}
  // It was computed, and nobody was there any more to get the answer.
  virtual void OnAbandoned(int /*images*/) {}
  // It is over: with the code that its caller has seen, as far as can be known here, after
  // `duration`, and with an answer of so many bytes, or none.
  virtual void OnEnd(Method /*method*/, absl::StatusCode /*code*/, absl::Duration /*duration*/,
                     std::size_t /*bytes*/) {}
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_OBSERVABILITY_METRICS_H_
