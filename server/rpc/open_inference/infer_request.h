// Reads ModelInfer requests directly from the buffers of a transport. All validation of their input
// is here.
#ifndef HELLOCNN_SERVER_RPC_OPEN_INFERENCE_INFER_REQUEST_H_
#define HELLOCNN_SERVER_RPC_OPEN_INFERENCE_INFER_REQUEST_H_

#include <google/protobuf/arena.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "hellocnn/image.h"
#include "hellocnn/model_card.h"
#include "inference/open_inference.pb.h"
#include "server/rpc/core/codec.h"
#include "server/rpc/transport/transport.h"

namespace hellocnn::server {

// The only input of every model. Requests may give it another name, because there is no other.
inline constexpr char kInputName[] = "input";

// What a response can have, in the order in which it has them if none is asked for.
enum class InferOutput { kLogProbabilities, kProbabilities, kClass, kLabel };
inline constexpr int kInferOutputs = 4;

// What is the same for each response: "log_probabilities", FP32, [N, classes].
struct InferOutputType {
  const char* name;
  const char* datatype;
  inference::DataType data_type;
  bool has_classes;  // false: one element for each image
};
const InferOutputType& TypeOf(InferOutput output);

// An output that a request asks for.
struct AskedOutput {
  InferOutput output = InferOutput::kLogProbabilities;
  // If > 0, the classification extension: the output has so many texts "value:index:label" for each
  // image instead of its values, the greatest value first.
  int most_likely = 0;
};

// A request may have so many bytes beside the elements of its tensor: names, shapes, parameters.
inline constexpr std::size_t kMostHeadBytes = 65536;

// One ModelInferRequest after another. Thread-compatible.
class InferRequest {
 public:
  // Reads a request, which replaces the one before. The views of the pixels point into `message` or
  // are on `arena`, and the views of texts are on `arena`. Both must live as long as this is used.
  // INVALID_ARGUMENT: the bytes are no ModelInferRequest. What is wrong with its content, among it
  // an output that there is not, is in Request::images and Request::timeout.
  absl::StatusOr<Request> Read(Message* message, int max_images, google::protobuf::Arena* arena);

  // Pads images that have no border, as the card of the model says: with black. `images` are those
  // that Read has returned. Returns INVALID_ARGUMENT if the model takes no images of this size, or
  // if the outputs for so many images would be too large to send.
  absl::Status Fit(const ModelCard& card, std::span<ImageView> images,
                   google::protobuf::Arena* arena) const;

  // Forgets the request.
  void Clear() { head_ = nullptr; }

  std::string_view id() const { return head_ == nullptr ? std::string_view() : head_->id(); }
  const std::vector<AskedOutput>& outputs() const { return outputs_; }
  // Whether the caller wants the last response to a request to say so.
  bool marks_final_response() const { return marks_final_; }

 private:
  absl::StatusOr<std::span<ImageView>> ReadImages(int max_images, google::protobuf::Arena* arena);
  absl::StatusOr<const std::byte*> RawPixels(std::size_t bytes) const;
  absl::StatusOr<const std::byte*> TypedPixels(std::size_t pixels, google::protobuf::Arena* arena);
  absl::Status ReadOutputs();

  // Without the raw contents; on the arena. Null if there is no request.
  const inference::ModelInferRequest* head_ = nullptr;
  std::span<const std::byte> raw_;  // the first of the raw contents
  int raw_count_ = 0;
  bool is_too_large_ = false;  // beside its tensor
  std::vector<AskedOutput> outputs_;
  PixelFormat format_ = PixelFormat::kGray8;
  int side_ = 0;  // of each image
  bool marks_final_ = false;
};

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_OPEN_INFERENCE_INFER_REQUEST_H_
