#include "server/rpc/classify_stream.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "server/batching/mutex_lock.h"
#include "server/rpc/codec.h"
#include "server/rpc/status.h"

namespace hellocnn::server {

void ClassifyStream::Listen(const ServingContext* serving,
                            v1::ClassifierService::AsyncService* service,
                            CompletionEvents* events) {
  std::shared_ptr<ClassifyStream> stream(new ClassifyStream(serving, service, events));
  ClassifyStream* const listening = stream.get();
  listening->self_ = std::move(stream);
  listening->BidiCall::Listen(service, &v1::ClassifierService::AsyncService::RequestClassifyStream);
}

ClassifyStream::ClassifyStream(const ServingContext* serving,
                               v1::ClassifierService::AsyncService* service,
                               CompletionEvents* events)
    : BidiCall(events), serving_(serving), service_(service) {}

void ClassifyStream::OnCall() {
  Listen(serving_, service_, events());
  start_ = absl::Now();
  deadline_ = DeadlineOf(context());
  {
    MutexLock lock(&mutex_);
    ++in_flight_;  // until it reads: Drain may be called as soon as it is let in, and would end it
  }
  absl::StatusOr<Batcher*> batcher = serving_->admission->Enter(shared_from_this());
  if (batcher.ok()) {
    batcher_ = *batcher;
    ReadNext();
    Step step;
    {
      MutexLock lock(&mutex_);
      --in_flight_;
      step = NextStep();
    }
    Run(std::move(step));
  } else {
    // A stream that is not let in counts as the one request that it would have begun with.
    serving_->metrics->OnReceived(Method::kClassifyStream, 0);
    serving_->metrics->OnRefused(*RefusalOf(batcher.status()));
    serving_->metrics->OnEnd(Method::kClassifyStream, batcher.status().code(), absl::Now() - start_,
                             0);
    {
      MutexLock lock(&mutex_);
      finished_ = true;
    }
    Finish(ToGrpc(batcher.status()));
  }
}

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
  serving_->metrics->OnReceived(Method::kClassifyStream, request->message.ByteSizeLong());
  bool read_next;
  std::optional<absl::Status> ended;
  {
    MutexLock lock(&mutex_);
    if (finished_) {
      ended = broken_ ? absl::Status(gone_code_, "") : DrainingError();
    } else {
      ++in_flight_;
    }
    read_next = !finished_ && in_flight_ < kMaxInFlightPerStream && WantsToRead();
    paused_ = !read_next;
  }
  if (ended.has_value()) {  // while this was on its way: the end of the call was its answer
    if (const auto refusal = RefusalOf(*ended)) serving_->metrics->OnRefused(*refusal);
    serving_->metrics->OnEnd(Method::kClassifyStream, ended->code(), absl::ZeroDuration(), 0);
    return;
  }
  // Before this request is handled: as long as it is in flight, the stream cannot finish.
  if (read_next) ReadNext();
  Handle(request);
}

void ClassifyStream::OnWriteDone(bool ok) {
  bool read_next;
  std::vector<Pending> given_up;
  {
    MutexLock lock(&mutex_);
    if (!ok && !broken_) given_up = Break();
    read_next = paused_ && WantsToRead();
    if (read_next) paused_ = false;
  }
  // Before this answer is counted out: see OnReadDone.
  if (read_next) ReadNext();
  Step step;
  Pending written;
  absl::StatusCode gone_code;
  {
    MutexLock lock(&mutex_);
    written = std::move(answers_.front());
    answers_.pop_front();
    writing_ = false;
    --in_flight_;
    step = NextStep();
    gone_code = gone_code_;
  }
  for (const Pending& answer : given_up) CountGivenUp(answer, gone_code);
  if (ok) {
    CountSent(written);
  } else {
    CountGivenUp(written, gone_code);
  }
  Run(std::move(step));
}

void ClassifyStream::OnCancel() {
  Step step;
  std::vector<Pending> given_up;
  absl::StatusCode gone_code;
  {
    MutexLock lock(&mutex_);
    if (!broken_) given_up = Break();
    step = NextStep();
    gone_code = gone_code_;
  }
  for (const Pending& answer : given_up) CountGivenUp(answer, gone_code);
  Run(std::move(step));
}

void ClassifyStream::OnDone() {
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
  const absl::Status status = Submit(request);
  if (status.ok()) {
    serving_->metrics->OnAccepted(Method::kClassifyStream, request->message.images_size());
    return;
  }
  if (const auto refusal = RefusalOf(status)) serving_->metrics->OnRefused(*refusal);
  Answer(*request, status, {.message = std::make_unique<v1::ClassifyStreamResponse>()}, nullptr);
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
    Pending answer{.message = std::make_unique<v1::ClassifyStreamResponse>()};
    if (status.ok()) {
      EncodeClassification(predictions, self->serving_->description.model(), timing,
                           answer.message->mutable_result());
      answer.statistics = AnswerStatistics(predictions);
    }
    self->Answer(*request, JobOutcome(status, request->deadline, absl::Now()), std::move(answer),
                 key);
  };
  {
    MutexLock lock(&mutex_);
    if (draining_) return DrainingError();
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

void ClassifyStream::Answer(const Request& request, const absl::Status& status, Pending answer,
                            const Job* job) {
  answer.message->set_id(request.message.id());
  if (!status.ok()) EncodeError(status, answer.message->mutable_error());
  answer.code = ToProtocol(status).code();
  answer.duration = absl::Now() - request.start;
  std::optional<Pending> given_up;
  absl::StatusCode gone_code;
  Step step;
  {
    MutexLock lock(&mutex_);
    if (job != nullptr) {
      std::erase_if(jobs_, [job](const std::shared_ptr<Job>& j) { return j.get() == job; });
    }
    if (broken_) {
      --in_flight_;
      given_up = std::move(answer);
    } else {
      answers_.push_back(std::move(answer));
    }
    gone_code = gone_code_;
    step = NextStep();
  }
  if (given_up.has_value()) CountGivenUp(*given_up, gone_code);
  Run(std::move(step));
}

void ClassifyStream::CountSent(const Pending& answer) const {
  if (answer.statistics.images > 0) serving_->metrics->OnAnswered(answer.statistics);
  serving_->metrics->OnEnd(Method::kClassifyStream, answer.code, answer.duration,
                           answer.message->ByteSizeLong());
}

void ClassifyStream::CountGivenUp(const Pending& answer, absl::StatusCode code) const {
  if (answer.statistics.images > 0) serving_->metrics->OnAbandoned(answer.statistics.images);
  serving_->metrics->OnEnd(Method::kClassifyStream, code, answer.duration, 0);
}

bool ClassifyStream::WantsToRead() const {
  // A draining stream reads only for as long as it has to stay: a busy client could keep it
  // forever.
  return !broken_ && !half_closed_ && !(draining_ && jobs_.empty());
}

std::vector<ClassifyStream::Pending> ClassifyStream::Break() {
  broken_ = true;
  gone_code_ = CodeOfGoneCaller(start_, deadline_, absl::Now());
  for (const std::shared_ptr<Job>& job : jobs_) job->cancelled = true;
  const std::ptrdiff_t written = writing_ ? 1 : 0;
  std::vector<Pending> given_up(std::make_move_iterator(answers_.begin() + written),
                                std::make_move_iterator(answers_.end()));
  in_flight_ -= static_cast<int>(given_up.size());
  answers_.erase(answers_.begin() + written, answers_.end());
  return given_up;
}

ClassifyStream::Step ClassifyStream::NextStep() {
  Step step;
  if (!writing_ && !answers_.empty()) {
    writing_ = true;
    step.write = answers_.front().message.get();
  } else if (in_flight_ == 0 && !finished_ && (half_closed_ || draining_ || broken_)) {
    finished_ = true;
    if (broken_) {
      step.finish = grpc::Status::CANCELLED;
    } else if (half_closed_) {
      step.finish = grpc::Status::OK;
    } else {
      step.finish = ToGrpc(DrainingError());
    }
  }
  return step;
}

void ClassifyStream::Run(Step step) {
  if (step.write != nullptr) {
    StartWrite(*step.write);
  } else if (step.finish.has_value()) {
    Finish(*step.finish);
  }
}

}  // namespace hellocnn::server
