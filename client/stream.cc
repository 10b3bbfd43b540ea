#include "client/stream.h"

#include <utility>

#include "client/callback_threads.h"
#include "client/convert.h"
#include "client/grpc_time.h"

namespace hellocnn::client {

StreamCall::StreamCall(Connection& connection, grpc::ClientContext& context) {
  connection.stub->async()->ClassifyStream(&context, this);
  AddHold();  // operations are started outside of reactions; Do(kLetGo) removes it
  StartRead(&incoming_);
  StartCall();
}

StreamCall::Next StreamCall::Decide() {
  if (writing_ || let_go_) return Next::kNothing;
  if (responses_end_) {
    let_go_ = true;
    return Next::kLetGo;
  }
  if (close_wanted_ && !close_sent_) {
    close_sent_ = true;
    writing_ = true;
    return Next::kCloseSending;
  }
  return Next::kNothing;
}

void StreamCall::Do(Next next) {
  if (next == Next::kCloseSending) StartWritesDone();
  if (next == Next::kLetGo) RemoveHold();
}

absl::Status StreamCall::Send(v1::ClassifyStreamRequest request, Instant deadline) {
  {
    MutexLock lock(&mutex_);
    if (close_wanted_) {
      return absl::FailedPreconditionError("sending has been closed: nothing more can be sent");
    }
    bool timed_out = false;
    while (writing_ && !responses_end_ && !timed_out) {
      timed_out = changed_.WaitUntil(&mutex_, deadline);
    }
    if (responses_end_ || write_failed_) {
      return absl::CancelledError("the stream has ended; Finish() says why");
    }
    if (writing_) {
      return absl::DeadlineExceededError(
          "the server has not taken the previous request in time; are its responses being read?");
    }
    writing_ = true;
  }
  outgoing_ = std::move(request);
  StartWrite(&outgoing_);
  return absl::OkStatus();
}

std::optional<v1::ClassifyStreamResponse> StreamCall::Read() {
  v1::ClassifyStreamResponse response;
  {
    MutexLock lock(&mutex_);
    while (reading_) changed_.Wait(&mutex_);
    if (responses_end_) return std::nullopt;
    reading_ = true;
    response.Swap(&incoming_);
  }
  StartRead(&incoming_);
  return response;
}

void StreamCall::CloseSending() {
  Next next = Next::kNothing;
  {
    MutexLock lock(&mutex_);
    close_wanted_ = true;
    next = Decide();
  }
  Do(next);
}

grpc::Status StreamCall::Finish() {
  // gRPC does not end a call before all of its responses have been read.
  while (Read().has_value()) {
  }
  MutexLock lock(&mutex_);
  while (!status_.has_value()) changed_.Wait(&mutex_);
  return *status_;
}

int StreamCall::images() const {
  MutexLock lock(&mutex_);
  return images_;
}

void StreamCall::OnReadDone(bool ok) {
  Next next = Next::kNothing;
  {
    MutexLock lock(&mutex_);
    reading_ = false;
    responses_end_ = !ok;
    next = Decide();
    changed_.SignalAll();
  }
  Do(next);
}

void StreamCall::OnWriteDone(bool ok) {
  Next next = Next::kNothing;
  {
    MutexLock lock(&mutex_);
    writing_ = false;
    write_failed_ |= !ok;
    if (ok) images_ += outgoing_.images_size();
    next = Decide();
    changed_.SignalAll();
  }
  Do(next);
}

void StreamCall::OnWritesDoneDone(bool /*ok*/) {
  Next next = Next::kNothing;
  {
    MutexLock lock(&mutex_);
    writing_ = false;
    next = Decide();
    changed_.SignalAll();
  }
  Do(next);
}

void StreamCall::OnDone(const grpc::Status& status) {
  MutexLock lock(&mutex_);
  status_ = status;
  changed_.SignalAll();  // the last use of this: a waiting thread may destroy it after the unlock
}

ClassifyStream::Impl::Impl(std::shared_ptr<ConnectionPool> connections, Instant deadline,
                           const CallOptions& options)
    : pool(std::move(connections)),
      priority(options.priority),
      model(options.model),
      registration(options.cancellation, [context = context] { context->TryCancel(); }) {
  KeepCallbackThreads();
  context->set_deadline(ToGrpcTime(deadline));
  call.emplace(pool->At(pool->TakeTurn()), *context);
}

ClassifyStream::Impl::~Impl() {
  if (finished.has_value()) return;
  Cancel();
  Finish();
}

void ClassifyStream::Impl::Cancel() {
  cancelled = true;
  context->TryCancel();
}

const absl::Status& ClassifyStream::Impl::Finish() {
  if (!finished.has_value()) {
    const std::string& target = pool->shown_target();
    absl::Status status = FromGrpc(call->Finish(), target);
    finished = NameCanceller(std::move(status), cancelled || registration.cancelled(), target);
    pool->Report({.method = "ClassifyStream",
                  .status = *finished,
                  .duration = Clock::Monotonic()->Now() - start,
                  .images = call->images()});
  }
  return *finished;
}

ClassifyStream::ClassifyStream(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ClassifyStream::ClassifyStream(ClassifyStream&&) noexcept = default;

ClassifyStream& ClassifyStream::operator=(ClassifyStream&& other) noexcept {
  std::swap(impl_, other.impl_);  // `other` ends the stream that this one held
  return *this;
}

ClassifyStream::~ClassifyStream() = default;

absl::Status ClassifyStream::Send(std::uint64_t id, absl::Span<const Image> images,
                                  std::optional<absl::Duration> timeout) {
  v1::ClassifyStreamRequest request;
  request.set_id(id);
  request.set_priority(ToProto(impl_->priority));
  SetModel(impl_->model, request);
  if (absl::Status added = AddImages(images, *request.mutable_images()); !added.ok()) return added;
  const absl::StatusOr<absl::Duration> within =
      TimeoutOr(timeout, impl_->pool->options().default_timeout);
  if (!within.ok()) return within.status();
  if (*within != absl::InfiniteDuration()) *request.mutable_timeout() = ToProto(*within);
  return impl_->call->Send(std::move(request), Clock::Monotonic()->Now() + *within);
}

std::optional<StreamAnswer> ClassifyStream::Read() {
  const std::optional<v1::ClassifyStreamResponse> response = impl_->call->Read();
  if (!response.has_value()) return std::nullopt;
  return FromProto(*response);
}

void ClassifyStream::CloseSending() { impl_->call->CloseSending(); }

absl::Status ClassifyStream::Finish() {
  if (!impl_->finished.has_value()) CloseSending();
  return impl_->Finish();
}

void ClassifyStream::Cancel() { impl_->Cancel(); }

}  // namespace hellocnn::client
