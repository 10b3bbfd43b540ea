// Many requests over one call: Client::OpenStream opens it.
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

// The answer to one Send().
struct StreamAnswer {
  std::uint64_t id = 0;
  absl::StatusOr<ClassifyResult> result;
};

// Many requests over one call. Responses come in the order in which they are ready: match them by
// id. Every operation ends when the call does, in whatever order they are used.
//
// Thread-safety: one thread may Send and CloseSending while another Reads. Cancel may be called
// from any thread. The destructor cancels what is not finished and blocks until gRPC has let go of
// the call, briefly. A stream that was moved from may only be destroyed or assigned to.
class ClassifyStream {
 public:
  ClassifyStream(ClassifyStream&&) noexcept;
  ClassifyStream& operator=(ClassifyStream&&) noexcept;
  ~ClassifyStream();

  // Hands the request to gRPC. Blocks while gRPC still holds the previous request back for flow
  // control, at most for `timeout` (unset: ClientOptions::default_timeout). That happens when
  // nobody reads the responses: read them on another thread, or after every few requests. The
  // server answers within `timeout` of reading the request, or with DEADLINE_EXCEEDED.
  //
  // INVALID_ARGUMENT: `images` is empty or `timeout` not > 0. FAILED_PRECONDITION: after
  // CloseSending. DEADLINE_EXCEEDED: gRPC still held the previous request back. CANCELLED: the
  // stream has ended, and Finish() says why. After any error the request was not sent.
  absl::Status Send(std::uint64_t id, absl::Span<const Image> images,
                    std::optional<absl::Duration> timeout = std::nullopt);

  // Blocks until the next response has come, which may be for ever if nothing was sent, sending is
  // not closed and OpenStream was given no timeout. nullopt: the stream has ended; Finish() says
  // why.
  std::optional<StreamAnswer> Read();

  // Tells the server that nothing more will be sent. Responses may still be read. Does not block.
  // Later calls have no effect.
  void CloseSending();

  // Closes sending, discards the responses that have not been read, and blocks until the server
  // ends the stream. Returns how it ended; OK means that every request that was sent had its
  // response. Must not be called while another thread is in Send. Later calls return the same
  // status.
  absl::Status Finish();

  // Ends the stream at once: Read returns nullopt and Finish CANCELLED, unless the stream had
  // ended before. Does not block.
  void Cancel();

 private:
  friend class Client;
  struct Impl;
  explicit ClassifyStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CLASSIFY_STREAM_H_
