// Client of a HelloCNN server. No type of gRPC or protobuf appears here, so that a program which
// uses this header compiles without either. Link hellocnn::client.
//
//   auto client = hellocnn::client::Client::Create({.target = "127.0.0.1:8500"});
//   auto image = hellocnn::client::Image::Gray8(pixels);               // 1,024 grey levels
//   auto answer = client->Classify({*image});
//   if (answer.ok()) std::cout << answer->predictions[0].label;
//
// Errors of calls carry the gRPC status code as the absl::StatusCode of the same number.
// UNAVAILABLE names the target and says what to do. Nothing is retried unless
// ClientOptions::round_robin asks for it: a caller that wants it retries RESOURCE_EXHAUSTED after a
// pause (the queue is full) and UNAVAILABLE at another server. (gRPC itself may resend a request
// that never left this machine.)
#ifndef HELLOCNN_CLIENT_H_
#define HELLOCNN_CLIENT_H_

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"

namespace hellocnn::client {

inline constexpr int kImageSide = 32;
inline constexpr int kImagePixels = kImageSide * kImageSide;
inline constexpr int kClasses = 10;

// One 32x32 image with one channel, row by row from the top left. A value: copies are independent.
class Image {
 public:
  // 1,024 grey levels, 0 (black) to 255, digits light on dark. INVALID_ARGUMENT: another number of
  // them.
  static absl::StatusOr<Image> Gray8(absl::Span<const std::uint8_t> pixels);

  // 1,024 values, already normalised as ModelInfo::preprocessing says. INVALID_ARGUMENT: another
  // number of them, or one that is not finite.
  static absl::StatusOr<Image> Float32(absl::Span<const float> pixels);

  bool is_float32() const { return is_float32_; }
  // As sent: 1,024 bytes, or 4,096 bytes of little-endian binary32.
  const std::string& bytes() const { return bytes_; }

 private:
  Image(bool is_float32, std::string bytes) : is_float32_(is_float32), bytes_(std::move(bytes)) {}

  bool is_float32_;
  std::string bytes_;
};

// The answer to one image.
struct Prediction {
  int class_index = 0;  // the most likely class, 0 to 9; of equal ones, the lowest
  std::string label;
  std::array<float, kClasses> log_probabilities{};  // natural logarithms, by class index

  // 0 to 1. `index` must be 0 to 9.
  double Probability(int index) const;
};

// Where a request spent its time in the server, network excluded.
struct Timing {
  absl::Duration queue;    // from acceptance until a worker took its first image
  absl::Duration compute;  // from then until its last image was classified
  int batch_size = 0;      // images in the largest batch that the request had a part in
};

struct ClassifyResult {
  std::vector<Prediction> predictions;  // one for each image, in their order
  std::string model_name;
  std::string model_version;  // compare for equality only
  Timing timing;
};

// One row of the layer table.
struct LayerInfo {
  std::string name;               // "conv.0"
  std::string operation;          // "Conv2d(1, 6, kernel 5x5)"
  std::vector<int> output_shape;  // of one image, for example [6, 28, 28]
  std::int64_t parameters = 0;
  std::int64_t multiply_adds = 0;  // for one image
};

// value = (grey / 255 - mean) / standard_deviation
struct Preprocessing {
  int content_size = 28;  // rows and columns of the digit before padding
  int padding = 2;        // black pixels added on each side, before normalisation
  float mean = 0;
  float standard_deviation = 1;
};

struct Limits {
  int max_images_per_request = 0;
  int max_batch_size = 0;
  int queue_capacity = 0;     // images; beyond it: RESOURCE_EXHAUSTED
  int max_message_bytes = 0;  // of one request
};

struct ModelInfo {
  std::string name;
  std::string version;
  std::vector<std::string> labels;  // by class index
  std::vector<LayerInfo> layers;    // from input to output
  std::int64_t parameters = 0;
  std::int64_t multiply_adds = 0;  // for one image
  double test_accuracy = 0;        // 0 to 1, as the model card says
  Preprocessing preprocessing;
  Limits limits;
};

// As grpc.health.v1 has them.
enum class HealthStatus { kUnknown, kServing, kNotServing, kServiceUnknown };

// "SERVING", "NOT_SERVING", …
std::string ToString(HealthStatus status);

struct ClientOptions {
  // A gRPC target: "host:port", "dns:///name:port", "unix:/path". Not encrypted.
  std::string target = "127.0.0.1:8500";
  // Deadline of each call that sets none of its own, from its start. > 0; absl::InfiniteDuration()
  // for none.
  absl::Duration default_timeout = absl::Seconds(5);
  // true: calls go in turn to every address that the target has ("dns:///name:port" of many, or
  // "ipv4:ip:port,ip:port"), except to those whose health is not SERVING. A call that is not of a
  // stream and fails with UNAVAILABLE is sent again, up to three times, within its deadline. A
  // stream is one call: it stays where it began. false: all go to the first address that answers.
  bool round_robin = false;
};

struct CallOptions {
  // > 0, or absl::InfiniteDuration() for no deadline. Unset: ClientOptions::default_timeout.
  std::optional<absl::Duration> timeout;
};

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

// A connection to one target, made at the first call and made again when it breaks. Each Client has
// its own.
//
// Thread-safe. Movable, but not while a call is under way. It may be destroyed while ClassifyAsync
// calls and streams are open: they go on. Calls may fail with DEADLINE_EXCEEDED, UNAVAILABLE (not
// reachable, loading or draining) and INTERNAL (an answer that breaks the protocol) besides what
// each says.
class Client {
 public:
  // Does not connect, and does not block. INVALID_ARGUMENT: no target, or a default timeout that is
  // not > 0.
  static absl::StatusOr<Client> Create(ClientOptions options);

  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  // Classifies 1 to Limits::max_images_per_request images together; blocks until answered.
  // INVALID_ARGUMENT: none, too many, or a timeout that is not > 0. RESOURCE_EXHAUSTED: the queue
  // is full, or the message too large.
  absl::StatusOr<ClassifyResult> Classify(absl::Span<const Image> images,
                                          CallOptions options = {}) const;

  // As Classify, without blocking. `images` are copied. `callback` runs exactly once: on a thread
  // of gRPC, or, if the arguments are refused, on the caller's before this returns. It must not
  // block and must not throw; it may start further calls.
  using ClassifyCallback = std::function<void(absl::StatusOr<ClassifyResult>)>;
  void ClassifyAsync(absl::Span<const Image> images, CallOptions options,
                     ClassifyCallback callback) const;

  // Opens a stream; does not block. `options.timeout` bounds the whole stream, by default it is
  // unbounded, as each request in it has a timeout. Failure to connect shows at Read and Finish.
  // INVALID_ARGUMENT: timeout not > 0.
  absl::StatusOr<ClassifyStream> OpenStream(CallOptions options = {}) const;

  // Describes the model served and the limits. Blocks.
  absl::StatusOr<ModelInfo> GetModel(CallOptions options = {}) const;

  // Asks grpc.health.v1 about `service`, "" for the server as a whole. Blocks. NOT_FOUND: the
  // server does not know the service. UNIMPLEMENTED: it has no health service.
  absl::StatusOr<HealthStatus> CheckHealth(const std::string& service = "",
                                           CallOptions options = {}) const;

  const std::string& target() const;

 private:
  struct Impl;
  explicit Client(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace hellocnn::client

#endif  // HELLOCNN_CLIENT_H_
