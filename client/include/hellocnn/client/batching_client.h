// Combines single images from many threads into larger calls: one call of 32 images costs a server
// far less than 32 calls of one image.
//
//   absl::StatusOr<BatchingClient> batching = BatchingClient::Create(client, {});
//   if (!batching.ok()) return;
//   std::vector<std::thread> threads;
//   for (const Image& image : images) {
//     threads.emplace_back([&batching, &image] {
//       absl::StatusOr<ClassifyResult> answer = batching->Classify(image);
//       if (answer.ok()) std::cout << answer->predictions[0].label << "\n";
//     });
//   }
//   for (std::thread& thread : threads) thread.join();
//
// No image waits for other images to arrive. While fewer than `max_calls_in_flight` calls are in
// flight, an image is sent at once, alone. While that many calls are in flight, images wait in a
// queue. When one of the calls ends, the waiting images are sent together, in the order in which
// they arrived. Therefore there is no delay to tune, and the calls grow as more images arrive.
#ifndef HELLOCNN_CLIENT_BATCHING_CLIENT_H_
#define HELLOCNN_CLIENT_BATCHING_CLIENT_H_

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hellocnn/client/client.h"

namespace hellocnn::client {

struct BatchingOptions {
  // The largest number of images in one call: 1 or more. If it exceeds
  // Limits::max_images_per_request, the server rejects full calls with INVALID_ARGUMENT.
  int max_batch_size = 32;
  // The largest number of calls in flight: 1 or more. Two calls keep a server busy while responses
  // travel. With many servers, set two calls for each server.
  int max_calls_in_flight = 2;
  // The largest number of images that wait to be sent: 1 or more. Further images are rejected at
  // once with RESOURCE_EXHAUSTED.
  int queue_capacity = 4096;
  // The priority of the calls.
  Priority priority = Priority::kNormal;
  // The model of the calls, as CallOptions::model.
  ModelVersion model;
};

// Thread-safe, except for moving and assigning.
class BatchingClient {
 public:
  // Returns a BatchingClient that uses the connections, retries and hedging of `client`. Fails with
  // INVALID_ARGUMENT if an option is out of range; the message names the option.
  static absl::StatusOr<BatchingClient> Create(Client client, const BatchingOptions& options);

  BatchingClient(BatchingClient&&) noexcept;
  BatchingClient& operator=(BatchingClient&&) noexcept;
  // Blocks until every image that was accepted has its result or has passed its deadline.
  ~BatchingClient();

  // Blocks until `image` has its result or `timeout` has passed. `timeout` must be > 0; if it is
  // unset, ClientOptions::default_timeout applies. The result has one prediction. Its timing is
  // that of the whole call.
  //
  // Fails with the errors of Client::Classify. If a call fails, it fails for each of its images.
  // Fails with RESOURCE_EXHAUSTED also if queue_capacity images wait here.
  absl::StatusOr<ClassifyResult> Classify(const Image& image,
                                          std::optional<absl::Duration> timeout = std::nullopt);

  // Returns the number of images that wait to be sent. It includes images whose callers have timed
  // out since the last call was sent.
  int queued_images() const;

 private:
  struct Impl;
  explicit BatchingClient(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_BATCHING_CLIENT_H_
