// Many requests over one call: Client::OpenStream opens it.
//
//   absl::StatusOr<ClassifyStream> stream = client.OpenStream();
//   if (!stream.ok()) return;
//   std::thread sender([&] {
//     for (std::size_t i = 0; i < images.size(); ++i) {
//       if (!stream->Send(i, {images[i]}).ok()) return;  // it has ended; Finish says why
//     }
//     stream->HalfClose();
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

// Many requests over one call. Answers come in the order in which they are ready: match them by id.
//
// Thread-safety: one thread may Send and HalfClose while another Reads. Cancel may be called from
// anywhere. Destruction cancels what is not finished and blocks until gRPC has let go of the call,
// briefly.
class ClassifyStream {
 public:
  ClassifyStream(ClassifyStream&&) noexcept;
  ClassifyStream& operator=(ClassifyStream&&) noexcept;
  ~ClassifyStream();

  // Blocks until gRPC has taken the request, which flow control may delay. The server answers it
  // within `timeout` (unset: ClientOptions::default_timeout) of reading it, or with
  // DEADLINE_EXCEEDED. INVALID_ARGUMENT: `images` is empty or `timeout` not > 0; nothing was sent.
  // FAILED_PRECONDITION: after HalfClose. CANCELLED: the stream has ended; Finish() says why.
  absl::Status Send(std::uint64_t id, absl::Span<const Image> images,
                    std::optional<absl::Duration> timeout = std::nullopt);

  // Blocks for the next answer. nullopt: the stream has ended; Finish() says why.
  std::optional<StreamAnswer> Read();

  // Says that nothing more will be sent; answers may still be read. Once is enough, more does no
  // harm.
  void HalfClose();

  // How the stream ended. Call it after Read() gave nullopt, with no other call under way:
  // half-closes if need be, then blocks until the server ends the stream. Later calls give the same
  // status. OK: everything was answered.
  absl::Status Finish();

  // Ends the stream at once: Read gives nullopt, Finish CANCELLED. Does not block.
  void Cancel();

 private:
  friend class Client;
  struct Impl;
  explicit ClassifyStream(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_CLASSIFY_STREAM_H_
