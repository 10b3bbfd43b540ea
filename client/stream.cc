#include "client/stream.h"

#include <utility>

#include "client/convert.h"

namespace hellocnn::client {

ClassifyStream::ClassifyStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ClassifyStream::ClassifyStream(ClassifyStream&&) noexcept = default;

ClassifyStream& ClassifyStream::operator=(ClassifyStream&& other) noexcept {
  std::swap(impl_, other.impl_);  // `other` ends what this one held
  return *this;
}

ClassifyStream::~ClassifyStream() {
  if (impl_ == nullptr || impl_->finished.has_value()) return;
  // gRPC wants every stream finished, or it leaks the call; a cancelled one finishes at once.
  Cancel();
  (void)impl_->call->Finish();
}

absl::Status ClassifyStream::Send(std::uint64_t id, absl::Span<const Image> images,
                                  std::optional<absl::Duration> timeout) {
  if (impl_->half_closed) {
    return absl::FailedPreconditionError("the stream is half-closed: nothing more can be sent");
  }
  v1::ClassifyStreamRequest request;
  request.set_id(id);
  if (absl::Status added = AddImages(images, *request.mutable_images()); !added.ok()) return added;
  const absl::StatusOr<absl::Duration> within = TimeoutOr(timeout, impl_->default_timeout);
  if (!within.ok()) return within.status();
  if (*within != absl::InfiniteDuration()) *request.mutable_timeout() = ToProto(*within);
  if (!impl_->call->Write(request)) {
    return absl::CancelledError("the stream has ended; Finish() says why");
  }
  return absl::OkStatus();
}

std::optional<StreamAnswer> ClassifyStream::Read() {
  v1::ClassifyStreamResponse response;
  if (!impl_->call->Read(&response)) return std::nullopt;
  return FromProto(response);
}

void ClassifyStream::HalfClose() {
  if (!impl_->half_closed.exchange(true)) impl_->call->WritesDone();
}

absl::Status ClassifyStream::Finish() {
  if (!impl_->finished.has_value()) {
    HalfClose();
    impl_->finished = FromGrpc(impl_->call->Finish(), impl_->target);
  }
  return *impl_->finished;
}

void ClassifyStream::Cancel() { impl_->context.TryCancel(); }

}  // namespace hellocnn::client
