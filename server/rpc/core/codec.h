// What a protocol must provide so that UnaryCall and StreamCall can serve it.
#ifndef HELLOCNN_SERVER_RPC_CORE_CODEC_H_
#define HELLOCNN_SERVER_RPC_CORE_CODEC_H_

#include <google/protobuf/arena.h>

#include <concepts>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hellocnn/image.h"
#include "hellocnn/model_card.h"
#include "server/observability/events.h"
#include "server/rpc/core/stream_session.h"
#include "server/rpc/transport/transport.h"
#include "server/scheduling/job.h"
#include "server/scheduling/job_order.h"

namespace hellocnn::server {

// A request to classify images, whatever its protocol.
struct Request {
  // Views of the pixels. INVALID_ARGUMENT: there are no images or too many, or pixels are unset, of
  // the wrong size or not finite. The message names the image, the value found and the value
  // wanted.
  absl::StatusOr<std::span<ImageView>> images;

  // The time that the request may take. InfiniteDuration if it is unset. INVALID_ARGUMENT: it is
  // out of range or not > 0.
  absl::StatusOr<absl::Duration> timeout = absl::InfiniteDuration();

  Priority priority = Priority::kNormal;

  // The model that is to respond. Empty for the default model, and for its current version. The
  // bytes are in memory of the codec.
  std::string_view model;
  std::string_view version;
};

// The result of a request.
struct Classification {
  std::span<const float> log_probabilities;  // row-major, [images, classes of `model`]
  const ModelCard& model;
  const JobTiming& timing;
};

// A codec reads one request after another and makes their responses. It holds the memory of both,
// so that a request needs no new memory. For each request, the order of calls is: Read, at most one
// of Encode and EncodeError, and then Write or Clear. Thread-compatible.
template <typename C>
concept Codec = std::default_initializable<C> &&
    requires(C codec, Message* message, int max_images, const Classification& classification) {
  // Reads the bytes of a request. The views of the pixels point into `message`, or into memory
  // of the codec. Returns INVALID_ARGUMENT if the bytes are not a message of the protocol.
  { codec.Read(message, max_images)->images } -> std::convertible_to<decltype(Request::images)>;
  { codec.Read(message, max_images)->timeout } -> std::convertible_to<decltype(Request::timeout)>;
  { codec.Read(message, max_images)->priority } -> std::convertible_to<Priority>;
  { codec.Read(message, max_images)->model } -> std::convertible_to<std::string_view>;
  // Returns the arena for memory with the lifetime of the request and its response.
  { codec.arena() } -> std::same_as<google::protobuf::Arena*>;
  // Makes the response.
  { codec.Encode(classification) } -> std::same_as<void>;
  // Replaces the content of `message` with the response, and then does what Clear does.
  { codec.Write(message) } -> std::same_as<void>;
  // Frees the memory of the request and the response.
  { codec.Clear() } -> std::same_as<void>;
};

// A codec may take images that depend on the model. Fit is then called between Read and Encode, and
// changes the views that Read has returned to whole images. INVALID_ARGUMENT: they do not fit.
template <typename C>
concept FittingCodec = Codec<C> &&
    requires(C codec, const ModelCard& card, std::span<ImageView> images) {
  { codec.Fit(card, images) } -> std::same_as<absl::Status>;
};

// Calls Fit of a codec that has one.
template <Codec C>
absl::Status FitImages(C& codec, const ModelCard& card, std::span<ImageView> images) {
  if constexpr (FittingCodec<C>) {
    return codec.Fit(card, images);
  } else {
    return absl::OkStatus();
  }
}

// In a stream, a request that fails gets a response too.
template <typename C>
concept StreamCodec = Codec<C> && requires(C codec, const absl::Status& status) {
  { codec.EncodeError(status) } -> std::same_as<void>;
};

// A stream's codec may have a constant kInOrder, which is true if the responses must come in the
// order of their requests.
template <StreamCodec C>
constexpr StreamSession::Order OrderOf() {
  if constexpr (requires { requires C::kInOrder; }) {
    return StreamSession::Order::kOfRequests;
  } else {
    return StreamSession::Order::kAsReady;
  }
}

// Allocates the log-probabilities of the images, [images.size(), classes], on `arena`.
std::span<float> LogProbabilitiesFor(std::span<const ImageView> images, int classes,
                                     google::protobuf::Arena* arena);

// Replaces the content of `confidences` with the most likely class of each image and its
// probability. `log_probabilities` is row-major, [images, classes]. Allocates only if the capacity
// of `confidences` is too small.
void ListConfidences(std::span<const float> log_probabilities, int classes,
                     std::vector<Confidence>* confidences);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_CODEC_H_
