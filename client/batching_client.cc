#include "hellocnn/client/batching_client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "client/convert.h"
#include "client/image_queue.h"

namespace hellocnn::client {
namespace {

// Gives each image its own part of the response.
void Distribute(const ImageQueue::Images& batch, absl::StatusOr<ClassifyResult> answer) {
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (!answer.ok()) {
      batch[i]->Finish(answer.status());
      continue;
    }
    batch[i]->Finish(ClassifyResult{{std::move(answer->predictions[i])},
                                    answer->model_name,
                                    answer->model_version,
                                    answer->timing});
  }
}

}  // namespace

struct BatchingClient::Impl : std::enable_shared_from_this<Impl> {
  Impl(Client batched, const BatchingOptions& options)
      : client(std::move(batched)),
        priority(options.priority),
        model(options.model),
        queue(options) {}

  // Sends all batches that may be sent now. Does not block.
  void Send();
  void SendBatch(ImageQueue::Images batch, Instant now);
  void WaitUntilIdle() ABSL_LOCKS_EXCLUDED(mutex);

  const Client client;
  const Priority priority;
  const ModelVersion model;
  Mutex mutex;
  CondVar idle;  // signalled when the queue has become idle
  ImageQueue queue ABSL_GUARDED_BY(mutex);
};

void BatchingClient::Impl::Send() {
  while (true) {
    const Instant now = Clock::Monotonic()->Now();
    ImageQueue::Taken taken;
    {
      const MutexLock lock(&mutex);
      taken = queue.Take(now);
      if (queue.idle()) idle.SignalAll();
    }
    for (const std::shared_ptr<PendingImage>& image : taken.expired)
      image->Finish(absl::DeadlineExceededError("the deadline passed before the image was sent"));
    if (taken.batch.empty()) return;
    SendBatch(std::move(taken.batch), now);
  }
}

void BatchingClient::Impl::WaitUntilIdle() {
  MutexLock lock(&mutex);
  while (!queue.idle()) idle.Wait(&mutex);
}

void BatchingClient::Impl::SendBatch(ImageQueue::Images batch, Instant now) {
  std::vector<Image> images;
  images.reserve(batch.size());
  // The call has the latest deadline of its images; callers with earlier deadlines time out by
  // themselves.
  Instant deadline = Instant::InfinitePast();
  for (const std::shared_ptr<PendingImage>& image : batch) {
    images.push_back(std::move(image->image));
    deadline = std::max(deadline, image->deadline);
  }
  client.ClassifyAsync(
      images, {.timeout = deadline - now, .priority = priority, .model = model},
      [self = shared_from_this(), batch = std::move(batch)](absl::StatusOr<ClassifyResult> answer) {
        Distribute(batch, std::move(answer));
        {
          const MutexLock lock(&self->mutex);
          self->queue.OnCallEnd();
          if (self->queue.idle()) self->idle.SignalAll();
        }
        self->Send();
      });
}

absl::StatusOr<BatchingClient> BatchingClient::Create(Client client,
                                                      const BatchingOptions& options) {
  if (absl::Status valid = ImageQueue::Validate(options); !valid.ok()) return valid;
  return BatchingClient(std::make_shared<Impl>(std::move(client), options));
}

BatchingClient::BatchingClient(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
BatchingClient::BatchingClient(BatchingClient&&) noexcept = default;

BatchingClient& BatchingClient::operator=(BatchingClient&& other) noexcept {
  std::swap(impl_, other.impl_);  // `other` drains the queue that this one held
  return *this;
}

BatchingClient::~BatchingClient() {
  if (impl_ != nullptr) impl_->WaitUntilIdle();
}

int BatchingClient::queued_images() const {
  const MutexLock lock(&impl_->mutex);
  return impl_->queue.waiting();
}

absl::StatusOr<ClassifyResult> BatchingClient::Classify(const Image& image,
                                                        std::optional<absl::Duration> timeout) {
  const absl::StatusOr<absl::Duration> within =
      TimeoutOr(timeout, impl_->client.options().default_timeout);
  if (!within.ok()) return within.status();
  const Instant deadline = Clock::Monotonic()->Now() + *within;
  const auto pending = std::make_shared<PendingImage>(image, deadline);
  {
    const MutexLock lock(&impl_->mutex);
    if (absl::Status pushed = impl_->queue.Push(pending); !pushed.ok()) return pushed;
  }
  impl_->Send();
  if (!pending->finished.WaitUntil(deadline)) {
    return absl::DeadlineExceededError(
        absl::StrCat("no response from the server at ", impl_->client.target(), " in time"));
  }
  return std::move(pending->result);
}

}  // namespace hellocnn::client
