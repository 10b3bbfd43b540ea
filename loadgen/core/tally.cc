#include "loadgen/core/tally.h"

#include <algorithm>
#include <numeric>

namespace hellocnn::load {
namespace {

void AddMessage(std::vector<std::string>& messages, const std::string& message) {
  if (messages.size() < Tally::kMessages &&
      std::find(messages.begin(), messages.end(), message) == messages.end()) {
    messages.push_back(message);
  }
}

}  // namespace

void Tally::Record(const Sample& sample, const Verdict& verdict) {
  // A server may send any number as its code.
  const int code =
      verdict.code >= 0 && verdict.code < kCodes ? verdict.code : static_cast<int>(grpc::UNKNOWN);
  ++by_code[code];
  last_ended = std::max(last_ended, sample.ended);
  const Nanos behind = sample.sent - sample.intended;
  lag.Record(behind.count());
  if (sample.held) {
    ++held;
  } else if (behind > kLate) {
    ++late;
  }
  if (code != grpc::OK) {
    AddMessage(messages[code], verdict.message);
    return;
  }
  const Nanos took = sample.ended - sample.sent;
  latency.Record((sample.ended - sample.intended).count());
  service.Record(took.count());
  images += verdict.images;
  wrong += verdict.wrong;
  if (verdict.batch_size > 0) {
    queue.Record(verdict.queue.count());
    compute.Record(verdict.compute.count());
    network.Record((took - verdict.queue - verdict.compute).count());
    batch_sizes += verdict.batch_size;
  }
}

void Tally::Add(const Tally& other) {
  latency.Add(other.latency);
  service.Add(other.service);
  lag.Add(other.lag);
  queue.Add(other.queue);
  compute.Add(other.compute);
  network.Add(other.network);
  for (int code = 0; code < kCodes; ++code) {
    by_code[code] += other.by_code[code];
    for (const std::string& message : other.messages[code]) AddMessage(messages[code], message);
  }
  images += other.images;
  wrong += other.wrong;
  batch_sizes += other.batch_sizes;
  late += other.late;
  held += other.held;
  last_ended = std::max(last_ended, other.last_ended);
}

void Tally::Clear() {
  for (Histogram* histogram : {&latency, &service, &lag, &queue, &compute, &network}) {
    histogram->Clear();
  }
  by_code.fill(0);
  for (std::vector<std::string>& of_code : messages) of_code.clear();
  images = wrong = batch_sizes = late = held = 0;
  last_ended = Nanos(0);
}

std::int64_t Tally::requests() const {
  return std::accumulate(by_code.begin(), by_code.end(), std::int64_t{0});
}

double Tally::MeanBatchSize() const {
  return queue.count() > 0 ? static_cast<double>(batch_sizes) / static_cast<double>(queue.count())
                           : 0;
}

const char* CodeName(int code) {
  static constexpr std::array<const char*, kCodes> kNames = {"OK",
                                                             "CANCELLED",
                                                             "UNKNOWN",
                                                             "INVALID_ARGUMENT",
                                                             "DEADLINE_EXCEEDED",
                                                             "NOT_FOUND",
                                                             "ALREADY_EXISTS",
                                                             "PERMISSION_DENIED",
                                                             "RESOURCE_EXHAUSTED",
                                                             "FAILED_PRECONDITION",
                                                             "ABORTED",
                                                             "OUT_OF_RANGE",
                                                             "UNIMPLEMENTED",
                                                             "INTERNAL",
                                                             "UNAVAILABLE",
                                                             "DATA_LOSS",
                                                             "UNAUTHENTICATED"};
  return code >= 0 && code < kCodes ? kNames[code] : "UNKNOWN";
}

}  // namespace hellocnn::load
