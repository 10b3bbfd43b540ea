// Sends many requests over one call, which Client::OpenStream opens.
//
//   absl::StatusOr<ClassifyStream> stream = client.OpenStream();
//   if (!stream.ok()) return;
//   std::thread sender([&] {
//     for (std::size_t i = 0; i < images.size(); ++i) {
//       if (!stream->Send(i, {images[i]}).ok()) return;  // it has ended; Finish says why
//     }
//     stream->CloseSending();
//   });
//   while (std::optional<StreamAnswer> answer = stream->Read()) {
//     if (answer->result.ok()) std::cout << answer->id << ": " <<
//         answer->result->predictions[0].label << "\n";
//   }
//   sender.join();
//   if (absl::Status end = stream->Finish(); !end.ok()) std::cerr << end << "\n";
#ifndef HELLOCNN_CLIENT_CLASSIFY_STREAM_H_
#define HELLOCNN_CLIENT_CLASSIFY_STREAM_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "hellocnn/client/client_types.h"

namespace hellocnn::client {

// The response to one Send(), with the same id.
struct StreamAnswer {
  std::uint64_t id = 0;
  absl::StatusOr<ClassifyResult> result;
};

// A call that carries many requests. Responses arrive in the order in which they are ready, so
// match them by id. Whatever the order of the operations, each of them ends when the call ends.
//
// Thread-safety: one thread may call Send and CloseSending while another calls Read. Any thread may
// call Cancel. The destructor cancels a stream that is not finished, and blocks briefly until gRPC
// has released the call. A stream that was moved from may only be destroyed or assigned to.
class ClassifyStream {
 public:
  ClassifyStream(ClassifyStream&&) noexcept;
  ClassifyStream& operator=(ClassifyStream&&) noexcept;
  ~ClassifyStream();

  // Hands the request to gRPC. Blocks while gRPC still holds the previous request back for flow
  // control, for at most `timeout`. If `timeout` is unset, ClientOptions::default_timeout applies.
  // Requests are held back when nobody reads the responses: read them on another thread, or after
  // every few requests. The server responds within `timeout` of reading the request, or the request
  // fails with DEADLINE_EXCEEDED.
  //
  // Fails with INVALID_ARGUMENT if `images` is empty or `timeout` is not > 0. Fails with
  // FAILED_PRECONDITION after CloseSending. Fails with DEADLINE_EXCEEDED if gRPC held the previous
  // request back until `timeout` had passed. Fails with CANCELLED if the stream has ended; Finish()
  // then returns the reason. After any error the request was not sent.
  absl::Status Send(std::uint64_t id, absl::Span<const Image> images,
                    std::optional<absl::Duration> timeout = std::nullopt);

  // Blocks until the next response arrives. Returns nullopt if the stream has ended; Finish() then
  // returns the reason. Blocks forever if nothing was sent, sending is not closed, and OpenStream
  // was given no timeout.
  std::optional<StreamAnswer> Read();

  // Tells the server that no more requests follow. Responses may still be read. Does not block.
  // Further calls have no effect.
  void CloseSending();

  // Closes sending, discards the responses that have not been read, and blocks until the server
  // ends the stream. Returns the status of the stream; OK means that every request that was sent
  // got its response. Must not be called while another thread is in Send. Further calls return the
  // same status.
  absl::Status Finish();

  // Ends the stream at once: Read returns nullopt and Finish returns CANCELLED, unless the stream
  // had already ended. Does not block.
  void Cancel();

 private:
  friend class Client;
  struct Impl;
  explicit ClassifyStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CLASSIFY_STREAM_H_
