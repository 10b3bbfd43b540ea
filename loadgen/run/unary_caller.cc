#include <grpc/support/time.h>
#include <grpcpp/client_context.h>
#include <grpcpp/generic/generic_stub.h>

#include <optional>
#include <utility>

#include "loadgen/core/caller.h"

namespace hellocnn::load {
namespace {

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
    call.context.emplace();
    call.context->set_deadline(timeout_);
    call.reader = stubs_[next_stub_].PrepareUnaryCall(&*call.context, protocol_->method(),
                                                      protocol_->Request(index, 0), queue_);
    if (++next_stub_ == stubs_.size()) next_stub_ = 0;
    call.reader->StartCall();
    // From here on, the call belongs to the thread that handles its end.
    call.reader->Finish(&call.answer, &call.status, &call);
  }

  void Handle(void* tag, bool) override {
    Call& call = *static_cast<Call*>(tag);
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

 private:
  struct Call {
    std::size_t index = 0;
    std::optional<grpc::ClientContext> context;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
    grpc::ByteBuffer answer;
    grpc::Status status;
  };

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
