#include "server/rpc/transport/grpc/unknown_methods.h"

#include <grpcpp/support/status.h>

#include <string>
#include <string_view>
#include <utility>

#include "server/rpc/errors/error_trailers.h"
#include "server/rpc/transport/grpc/grpc_rpc.h"

namespace hellocnn::server {

// Waits for a call, responds to it, and goes.
class UnknownMethods::Call {
 public:
  Call(UnknownMethods* methods, CompletionEvents* events)
      : methods_(methods), events_(events), stream_(&context_) {
    events_->Hold();
    methods_->service_.RequestCall(&context_, &stream_, events_->queue(), events_->queue(),
                                   arrived_.tag());
  }

 private:
  void OnArrived(bool ok) {
    if (!ok) return End();  // the server shuts down
    methods_->Listen(events_);
    const absl::Status status = methods_->status_of_(context_.method());
    const auto id = context_.client_metadata().find(
        grpc::string_ref(kRequestIdKey.data(), kRequestIdKey.size()));
    const std::string_view request_id =
        id == context_.client_metadata().end()
            ? std::string_view()
            : std::string_view(id->second.data(), id->second.size());
    AddTrailers(ErrorTrailers(status, request_id).get(), &context_);
    stream_.Finish(grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()),
                                std::string(status.message())),
                   finished_.tag());
  }
  void OnFinished(bool /*ok*/) { End(); }
  void End() {
    CompletionEvents* const events = events_;
    delete this;
    events->Release();
  }

  UnknownMethods* const methods_;
  CompletionEvents* const events_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  CompletionOf<Call> arrived_{this, &Call::OnArrived};
  CompletionOf<Call> finished_{this, &Call::OnFinished};
};

void UnknownMethods::Listen(CompletionEvents* events) { new Call(this, events); }

}  // namespace hellocnn::server
