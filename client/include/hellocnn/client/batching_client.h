// Single images from many threads, sent together: a call of 32 images costs a server far less than
// 32 calls of one.
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
// No image waits for company: one that comes while fewer than `max_calls_in_flight` calls are under
// way is sent at once, alone. Those that come while so many are under way go together, in the order
// in which they came, as soon as one of them has ended. So there is no delay to tune, and the more
// images come, the larger the calls.
#ifndef HELLOCNN_CLIENT_BATCHING_CLIENT_H_
#define HELLOCNN_CLIENT_BATCHING_CLIENT_H_

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hellocnn/client/client.h"

namespace hellocnn::client {

struct BatchingOptions {
  // Images in one call, at most: 1 or more. Beyond Limits::max_images_per_request, the server
  // refuses full calls with INVALID_ARGUMENT.
  int max_batch_size = 32;
  // Calls under way at a time, at most: 1 or more. Two keep a server busy while answers travel;
  // with many servers, two for each.
  int max_calls_in_flight = 2;
  // Images that wait to be sent, at most: 1 or more. Beyond: RESOURCE_EXHAUSTED, at once.
  int queue_capacity = 4096;
};

// Thread-safe, but for moving and assigning.
class BatchingClient {
 public:
  // Uses the connections, retries and hedging of `client`. INVALID_ARGUMENT names the option that
  // is out of range.
  static absl::StatusOr<BatchingClient> Create(Client client, BatchingOptions options);

  BatchingClient(BatchingClient&&) noexcept;
  BatchingClient& operator=(BatchingClient&&) noexcept;
  // Blocks until every image that was accepted has its answer or has passed its deadline.
  ~BatchingClient();

  // Blocks until `image` is answered, or `timeout` has passed: > 0, unset:
  // ClientOptions::default_timeout. The result has one prediction; its timing is that of the whole
  // call.
  //
  // Errors: those of Client::Classify; a call that fails fails for each of its images.
  // RESOURCE_EXHAUSTED also if queue_capacity images wait here.
  absl::StatusOr<ClassifyResult> Classify(const Image& image,
                                          std::optional<absl::Duration> timeout = std::nullopt);

  // Images that wait to be sent, those included whose callers have given up since the last call
  // was sent.
  int queued_images() const;

 private:
  struct Impl;
  explicit BatchingClient(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_BATCHING_CLIENT_H_
