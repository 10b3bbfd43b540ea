#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "base/mutex.h"
#include "loadgen/core/caller.h"

namespace hellocnn::load {
namespace {

// The server is asked to respond to each request in time. If it does not, the stream is given up
// this much later.
constexpr Nanos kGrace = std::chrono::seconds(1);

enum class Operation { kStart, kRead, kWrite, kFinish };

struct Stream;
struct Tag {
  Stream* stream;
  Operation operation;
};

// One call. The first request opens it. After it has ended, the next request opens it again.
struct Stream {
  enum class State { kClosed, kStarting, kOpen, kFinishing };

  Tag start{this, Operation::kStart};
  Tag read{this, Operation::kRead};
  Tag write{this, Operation::kWrite};
  Tag finish{this, Operation::kFinish};

  // Shared by the thread that sends and the one that handles events.
  mutable Mutex mutex;
  State state ABSL_GUARDED_BY(mutex) = State::kClosed;
  bool reading ABSL_GUARDED_BY(mutex) = false;
  bool writing ABSL_GUARDED_BY(mutex) = false;
  bool half_closed ABSL_GUARDED_BY(mutex) = false;
  bool expired ABSL_GUARDED_BY(mutex) = false;
  std::deque<int> to_write ABSL_GUARDED_BY(mutex);
  std::optional<grpc::ClientContext> context ABSL_GUARDED_BY(mutex);
  std::unique_ptr<grpc::GenericClientAsyncReaderWriter> call ABSL_GUARDED_BY(mutex);

  // Owned by gRPC while it reads or finishes.
  grpc::ByteBuffer answer;
  grpc::Status status;
};

// Keeps one stream for each connection. Responses are matched with requests by id. The id holds the
// slot and, in the bits above, how often the slot has been used. A late response is therefore not
// mistaken for one to another request.
class Streams : public Caller {
 public:
  Streams(const CallerOptions& options, Ended ended)
      : protocol_(options.protocol),
        queue_(options.queue),
        timeout_(options.timeout),
        judge_(protocol_->NewJudge()),
        ended_(std::move(ended)),
        requests_(options.slots),
        streams_(options.channels.size()) {
    for (const auto& channel : options.channels) stubs_.emplace_back(channel);
  }

  void Send(int slot, std::size_t index) override {
    Stream& stream = streams_[next_];
    if (++next_ == streams_.size()) next_ = 0;
    MutexLock lock(&stream.mutex);
    Request& request = requests_[slot];
    request.index = index;
    ++request.use;
    request.sent = SteadyClock::now();
    request.stream = &stream;
    stream.to_write.push_back(slot);
    if (stream.state == Stream::State::kClosed) {
      Open(stream);
    } else if (stream.state == Stream::State::kOpen && !stream.writing) {
      WriteNext(stream);
    }
  }

  void Handle(void* tag, bool ok) override {
    const Tag& event = *static_cast<Tag*>(tag);
    Stream& stream = *event.stream;
    switch (event.operation) {
      case Operation::kStart:
        return Started(stream, ok);
      case Operation::kRead:
        return Read(stream, ok);
      case Operation::kWrite:
        return Written(stream, ok);
      case Operation::kFinish:
        return Finished(stream);
    }
  }

  void Finish() override {
    finishing_since_ = SteadyClock::now();
    for (Stream& stream : streams_) {
      MutexLock lock(&stream.mutex);
      if (stream.state == Stream::State::kOpen && !stream.writing) CloseSending(stream);
    }
  }

  void Cancel() override {
    for (Stream& stream : streams_) {
      MutexLock lock(&stream.mutex);
      if (stream.context.has_value()) stream.context->TryCancel();
    }
  }

  bool open() const override {
    for (const Stream& stream : streams_) {
      MutexLock lock(&stream.mutex);
      if (stream.state != Stream::State::kClosed) return true;
    }
    return false;
  }

  void Tick() override {
    const SteadyClock::time_point oldest = SteadyClock::now() - timeout_ - kGrace;
    if (finishing_since_.has_value() && *finishing_since_ < oldest) {
      for (Stream& stream : streams_) {
        MutexLock lock(&stream.mutex);
        Expire(stream);
      }
    }
    for (const Request& request : requests_) {
      Stream* const stream = request.stream.load();
      if (stream == nullptr) continue;
      MutexLock lock(&stream->mutex);
      if (request.stream.load() == stream && request.sent < oldest) Expire(*stream);
    }
  }

 private:
  struct Request {
    std::size_t index = 0;
    std::uint32_t use = 0;
    SteadyClock::time_point sent;
    // The stream on which the request is in flight, else null. Before the request is in flight, the
    // sending thread writes it; afterwards, the handling thread does. Both hold the stream's mutex.
    std::atomic<Stream*> stream = nullptr;
  };

  // Gives up a stream that is late, unless it is closed.
  static void Expire(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stream.mutex) {
    if (stream.state == Stream::State::kClosed || stream.expired) return;
    stream.expired = true;
    stream.context->TryCancel();
  }

  void Open(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stream.mutex) {
    stream.state = Stream::State::kStarting;
    stream.context.emplace();
    stream.call = stubs_[&stream - streams_.data()].PrepareCall(&*stream.context,
                                                                protocol_->method(), queue_);
    stream.call->StartCall(&stream.start);
  }

  void WriteNext(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stream.mutex) {
    const int slot = stream.to_write.front();
    stream.to_write.pop_front();
    const Request& request = requests_[slot];
    stream.writing = true;
    const std::uint64_t id = std::uint64_t{request.use} << 32 | static_cast<std::uint32_t>(slot);
    stream.call->Write(protocol_->Request(request.index, id), &stream.write);
  }

  void CloseSending(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stream.mutex) {
    if (stream.half_closed) return;
    stream.half_closed = true;
    stream.writing = true;
    stream.call->WritesDone(&stream.write);
  }

  // Ends the stream. Asks for the status only when no other operation of the call is in flight.
  void FinishStream(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(stream.mutex) {
    stream.state = Stream::State::kFinishing;
    if (!stream.reading && !stream.writing) stream.call->Finish(&stream.status, &stream.finish);
  }

  void Started(Stream& stream, bool ok) {
    MutexLock lock(&stream.mutex);
    if (!ok) return FinishStream(stream);
    stream.state = Stream::State::kOpen;
    stream.reading = true;
    stream.call->Read(&stream.answer, &stream.read);
    if (!stream.to_write.empty()) WriteNext(stream);
  }

  void Written(Stream& stream, bool ok) {
    MutexLock lock(&stream.mutex);
    stream.writing = false;
    // A failed write also fails the read in flight, which ends the stream.
    if (stream.state == Stream::State::kFinishing) return FinishStream(stream);
    if (!ok || stream.half_closed) return;
    if (!stream.to_write.empty()) {
      WriteNext(stream);
    } else if (finishing_since_.has_value()) {
      CloseSending(stream);
    }
  }

  void Read(Stream& stream, bool ok) {
    if (!ok) {
      MutexLock lock(&stream.mutex);
      stream.reading = false;
      return FinishStream(stream);
    }
    judge_->Read(stream.answer, verdict_);
    const auto slot = static_cast<std::uint32_t>(verdict_.id);
    const bool known = slot < requests_.size() && requests_[slot].stream.load() == &stream &&
                       requests_[slot].use == static_cast<std::uint32_t>(verdict_.id >> 32);
    if (known && verdict_.code == grpc::OK) judge_->Compare(requests_[slot].index, verdict_);
    {
      MutexLock lock(&stream.mutex);
      if (known) {
        requests_[slot].stream = nullptr;
      } else {
        // No request has this id. The ids of this stream can no longer be trusted.
        stream.context->TryCancel();
      }
      stream.answer.Clear();
      stream.call->Read(&stream.answer, &stream.read);
    }
    if (known) ended_(static_cast<int>(slot), verdict_);
  }

  void Finished(Stream& stream) {
    verdict_ = Verdict();
    verdict_.code = stream.status.error_code();
    verdict_.message = stream.status.error_message();
    if (stream.status.ok()) {
      verdict_.code = grpc::UNAVAILABLE;
      verdict_.message = "the server ended the stream before the response";
    }
    std::vector<int> lost;
    {
      MutexLock lock(&stream.mutex);
      if (stream.expired) {
        verdict_.code = grpc::DEADLINE_EXCEEDED;
        verdict_.message = "no response on the stream, which was given up";
      }
      for (std::size_t slot = 0; slot < requests_.size(); ++slot) {
        if (requests_[slot].stream.load() != &stream) continue;
        requests_[slot].stream = nullptr;
        lost.push_back(static_cast<int>(slot));
      }
      stream.to_write.clear();
      stream.call.reset();
      stream.context.reset();
      stream.half_closed = stream.expired = false;
      stream.state = Stream::State::kClosed;
    }
    for (const int slot : lost) {
      Verdict verdict = verdict_;
      ended_(slot, verdict);
    }
  }

  const Protocol* const protocol_;
  grpc::CompletionQueue* const queue_;
  const Nanos timeout_;
  const std::unique_ptr<Judge> judge_;
  const Ended ended_;
  std::vector<grpc::GenericStub> stubs_;
  std::vector<Request> requests_;  // one for each slot
  std::vector<Stream> streams_;    // one for each connection
  std::size_t next_ = 0;           // used by the sending thread only
  Verdict verdict_;                // used by the handling thread only
  std::optional<SteadyClock::time_point> finishing_since_;
};

}  // namespace

std::unique_ptr<Caller> StreamCaller(const CallerOptions& options, Ended ended) {
  return std::make_unique<Streams>(options, std::move(ended));
}

}  // namespace hellocnn::load
