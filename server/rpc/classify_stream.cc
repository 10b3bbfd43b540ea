#include "server/rpc/classify_stream.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "server/batching/mutex_lock.h"
#include "server/rpc/codec.h"
#include "server/rpc/status.h"

namespace hellocnn::server {

ClassifyStream* ClassifyStream::Start(const ServingContext* serving,
                                      grpc::CallbackServerContext* context) {
  std::shared_ptr<ClassifyStream> stream(new ClassifyStream(serving, DeadlineOf(*context)));
  stream->self_ = stream;
  absl::StatusOr<Batcher*> batcher = serving->admission->Enter(stream);
  if (batcher.ok()) {
    // Drain may be running already on another thread; it does not touch batcher_, and Finish before
    // the first read is as good as after.
    stream->batcher_ = *batcher;
    stream->ReadNext();
  } else {
    serving->metrics->OnRequest("ClassifyStream", batcher.status().code(), absl::ZeroDuration());
    {
      MutexLock lock(&stream->mutex_);
      stream->finished_ = true;
    }
    stream->Finish(ToGrpc(batcher.status()));
  }
  return stream.get();
}

ClassifyStream::ClassifyStream(const ServingContext* serving, absl::Time deadline)
    : serving_(serving), deadline_(deadline) {}

void ClassifyStream::ReadNext() {
  incoming_ = std::make_unique<Request>();
  StartRead(&incoming_->message);
}

void ClassifyStream::OnReadDone(bool ok) {
  if (!ok) {
    Step step;
    {
      MutexLock lock(&mutex_);
      half_closed_ = true;
      step = NextStep();
    }
    Run(std::move(step));
    return;
  }
  std::shared_ptr<Request> request = std::move(incoming_);
  request->start = absl::Now();
  bool read_next;
  {
    MutexLock lock(&mutex_);
    if (finished_) return;  // drained while this was on its way
    ++in_flight_;
    read_next = in_flight_ < kMaxInFlightPerStream && WantsToRead();
    paused_ = !read_next;
  }
  // Before this request is handled: as long as it is in flight, the stream cannot finish.
  if (read_next) ReadNext();
  Handle(request);
}

void ClassifyStream::OnWriteDone(bool ok) {
  bool read_next;
  {
    MutexLock lock(&mutex_);
    if (!ok && !broken_) Break();
    read_next = paused_ && WantsToRead();
    if (read_next) paused_ = false;
  }
  // Before this answer is counted out: see OnReadDone.
  if (read_next) ReadNext();
  Step step;
  {
    MutexLock lock(&mutex_);
    answers_.pop_front();
    writing_ = false;
    --in_flight_;
    step = NextStep();
  }
  Run(std::move(step));
}

void ClassifyStream::OnCancel() {
  Step step;
  {
    MutexLock lock(&mutex_);
    if (!broken_) Break();
    step = NextStep();
  }
  Run(std::move(step));
}

void ClassifyStream::OnDone() {
  const std::shared_ptr<ClassifyStream> self = std::move(self_);
  if (batcher_ != nullptr) serving_->admission->Leave(this);
}

void ClassifyStream::Drain() {
  Step step;
  {
    MutexLock lock(&mutex_);
    draining_ = true;
    step = NextStep();
  }
  Run(std::move(step));
}

void ClassifyStream::Handle(const std::shared_ptr<Request>& request) {
  absl::Status status = Submit(request);
  if (status.ok()) return;
  auto answer = std::make_unique<v1::ClassifyStreamResponse>();
  Answer(*request, status, std::move(answer), nullptr);
}

absl::Status ClassifyStream::Submit(const std::shared_ptr<Request>& request) {
  absl::StatusOr<absl::Duration> timeout = DecodeTimeout(request->message);
  if (!timeout.ok()) return timeout.status();
  absl::StatusOr<std::vector<ImageView>> images = DecodeImages(
      request->message.images(), serving_->description.limits().max_images_per_request());
  if (!images.ok()) return images.status();
  request->deadline = std::min(deadline_, request->start + *timeout);

  auto job = std::make_shared<Job>();
  job->images = *std::move(images);
  job->deadline = request->deadline;
  // Holds the stream, whose lock is still in use when another thread ends the call; and the pixels.
  // Not the job, which would keep itself alive: the batcher holds it until `done` has returned.
  job->done = [self = shared_from_this(), request, key = job.get()](
                  const absl::Status& status, std::span<const Prediction> predictions,
                  const JobTiming& timing) {
    auto answer = std::make_unique<v1::ClassifyStreamResponse>();
    if (status.ok()) {
      EncodeClassification(predictions, self->serving_->description.model(), timing,
                           answer->mutable_result());
      self->serving_->metrics->OnClassified(static_cast<int>(predictions.size()), timing);
    }
    self->Answer(*request, JobOutcome(status, request->deadline, absl::Now()), std::move(answer),
                 key);
  };
  {
    MutexLock lock(&mutex_);
    if (draining_) return absl::UnavailableError("server is draining");
    if (broken_) return absl::CancelledError("the stream was cancelled");
    jobs_.insert(job);
  }
  absl::Status status = batcher_->Submit(job);
  if (!status.ok()) {
    MutexLock lock(&mutex_);
    jobs_.erase(job);
  }
  return status;
}

void ClassifyStream::Answer(const Request& request, const absl::Status& status,
                            std::unique_ptr<v1::ClassifyStreamResponse> answer, const Job* job) {
  answer->set_id(request.message.id());
  if (!status.ok()) EncodeError(status, answer->mutable_error());
  serving_->metrics->OnRequest("ClassifyStream", ToProtocol(status).code(),
                               absl::Now() - request.start);
  Step step;
  {
    MutexLock lock(&mutex_);
    if (job != nullptr) {
      std::erase_if(jobs_, [job](const std::shared_ptr<Job>& j) { return j.get() == job; });
    }
    if (broken_) {
      --in_flight_;
    } else {
      answers_.push_back(std::move(answer));
    }
    step = NextStep();
  }
  Run(std::move(step));
}

bool ClassifyStream::WantsToRead() const {
  // A draining stream reads only for as long as it has to stay: a busy client could keep it
  // forever.
  return !broken_ && !half_closed_ && !(draining_ && jobs_.empty());
}

void ClassifyStream::Break() {
  broken_ = true;
  for (const std::shared_ptr<Job>& job : jobs_) job->cancelled = true;
  const std::size_t written = writing_ ? 1 : 0;
  in_flight_ -= static_cast<int>(answers_.size() - written);
  answers_.resize(written);
}

ClassifyStream::Step ClassifyStream::NextStep() {
  Step step;
  if (!writing_ && !answers_.empty()) {
    writing_ = true;
    step.write = answers_.front().get();
  } else if (in_flight_ == 0 && !finished_ && (half_closed_ || draining_ || broken_)) {
    finished_ = true;
    if (broken_) {
      step.finish = grpc::Status::CANCELLED;
    } else if (half_closed_) {
      step.finish = grpc::Status::OK;
    } else {
      step.finish = ToGrpc(absl::UnavailableError("server is draining"));
    }
  }
  return step;
}

void ClassifyStream::Run(Step step) {
  if (step.write != nullptr) {
    StartWrite(step.write);
  } else if (step.finish.has_value()) {
    Finish(*std::move(step.finish));
  }
}

}  // namespace hellocnn::server
