#include "client/stream.h"

#include <utility>

#include "client/convert.h"

namespace hellocnn::client {

ClassifyStream::Impl::Impl(std::shared_ptr<ConnectionPool> connections, absl::Time deadline,
                           const std::optional<Cancellation>& cancellation)
    : pool(std::move(connections)),
      registration(cancellation, [context = context] { context->TryCancel(); }) {
  context->set_deadline(absl::ToChronoTime(deadline));
  // The header goes with the first request rather than ahead of it, so that opening does not wait
  // for a connection.
  context->set_initial_metadata_corked(true);
  call = pool->At(pool->TakeTurn()).stub->ClassifyStream(context.get());
}

ClassifyStream::Impl::~Impl() {
  if (finished.has_value()) return;
  // gRPC wants every stream finished, or it leaks the call; a cancelled one finishes at once.
  context->TryCancel();
  Finish();
}

const absl::Status& ClassifyStream::Impl::Finish() {
  if (!finished.has_value()) {
    finished = FromGrpc(call->Finish(), pool->options().target);
    pool->Report({.method = "ClassifyStream",
                  .status = *finished,
                  .duration = absl::Now() - start,
                  .images = images});
  }
  return *finished;
}

ClassifyStream::ClassifyStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ClassifyStream::ClassifyStream(ClassifyStream&&) noexcept = default;

ClassifyStream& ClassifyStream::operator=(ClassifyStream&& other) noexcept {
  std::swap(impl_, other.impl_);  // `other` ends what this one held
  return *this;
}

ClassifyStream::~ClassifyStream() = default;

absl::Status ClassifyStream::Send(std::uint64_t id, absl::Span<const Image> images,
                                  std::optional<absl::Duration> timeout) {
  if (impl_->half_closed) {
    return absl::FailedPreconditionError("the stream is half-closed: nothing more can be sent");
  }
  v1::ClassifyStreamRequest request;
  request.set_id(id);
  if (absl::Status added = AddImages(images, *request.mutable_images()); !added.ok()) return added;
  const absl::StatusOr<absl::Duration> within =
      TimeoutOr(timeout, impl_->pool->options().default_timeout);
  if (!within.ok()) return within.status();
  if (*within != absl::InfiniteDuration()) *request.mutable_timeout() = ToProto(*within);
  if (!impl_->call->Write(request)) {
    return absl::CancelledError("the stream has ended; Finish() says why");
  }
  impl_->images += request.images_size();
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
  if (!impl_->finished.has_value()) HalfClose();
  return impl_->Finish();
}

void ClassifyStream::Cancel() { impl_->context->TryCancel(); }

}  // namespace hellocnn::client
