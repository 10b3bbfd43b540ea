#include <grpc/support/time.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <optional>
#include <utility>

#include "loadgen/core/caller.h"

namespace hellocnn::load {
namespace {

// How often a call is sent again that never left.
constexpr int kResends = 3;

// Whether the call was waiting to be sent when the server's GOAWAY came. gRPC sends such calls
// again on the next connection by itself, but not all of them if many are under way, so that about
// one of 10,000 calls fails in restarts that no other client notices.
bool NeverLeft(const grpc::Status& status) {
  return status.error_code() == grpc::UNAVAILABLE && status.error_message() == "GOAWAY received";
}

class Unary : public Caller {
 public:
  Unary(const CallerOptions& options, Ended ended)
      : protocol_(options.protocol),
        queue_(options.queue),
        timeout_(gpr_time_from_nanos(options.timeout.count(), GPR_TIMESPAN)),
        judge_(protocol_->NewJudge()),
        ended_(std::move(ended)),
        calls_(options.slots) {
    for (const auto& channel : options.channels) stubs_.emplace_back(channel);
  }

  void Send(int slot, std::size_t index) override {
    Call& call = calls_[slot];
    call.index = index;
    call.stub = &stubs_[next_stub_];
    call.resends = 0;
    if (++next_stub_ == stubs_.size()) next_stub_ = 0;
    Start(call);
  }

  void Handle(void* tag, bool) override {
    Call& call = *static_cast<Call*>(tag);
    if (NeverLeft(call.status) && call.resends < kResends) {
      ++call.resends;
      call.reader.reset();
      return Start(call);
    }
    if (call.status.ok()) {
      judge_->Read(call.answer, verdict_);
      if (verdict_.code == grpc::OK) judge_->Compare(call.index, verdict_);
    } else {
      verdict_ = Verdict();
      verdict_.code = call.status.error_code();
      verdict_.message = call.status.error_message();
    }
    call.answer.Clear();
    call.reader.reset();
    call.context.reset();
    ended_(static_cast<int>(&call - calls_.data()), verdict_);
  }

  void Cancel() override {
    for (Call& call : calls_) {
      if (call.context.has_value()) call.context->TryCancel();
    }
  }

 private:
  struct Call {
    std::size_t index = 0;
    grpc::GenericStub* stub = nullptr;
    int resends = 0;
    std::optional<grpc::ClientContext> context;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
    grpc::ByteBuffer answer;
    grpc::Status status;
  };

  void Start(Call& call) {
    call.context.emplace();
    call.context->set_deadline(timeout_);
    call.reader = call.stub->PrepareUnaryCall(&*call.context, protocol_->method(),
                                              protocol_->Request(call.index, 0), queue_);
    call.reader->StartCall();
    // From here on, the call belongs to the thread that handles its end.
    call.reader->Finish(&call.answer, &call.status, &call);
  }

  const Protocol* const protocol_;
  grpc::CompletionQueue* const queue_;
  const gpr_timespec timeout_;
  const std::unique_ptr<Judge> judge_;
  const Ended ended_;
  std::vector<grpc::GenericStub> stubs_;
  std::size_t next_stub_ = 0;  // used by the sending thread only
  std::vector<Call> calls_;
  Verdict verdict_;  // used by the handling thread only
};

}  // namespace

std::unique_ptr<Caller> UnaryCaller(const CallerOptions& options, Ended ended) {
  return std::make_unique<Unary>(options, std::move(ended));
}

}  // namespace hellocnn::load
