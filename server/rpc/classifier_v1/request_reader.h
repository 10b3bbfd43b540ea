// Reads requests to classify images directly from the buffers of a transport. All validation of
// input is here.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFIER_V1_REQUEST_READER_H_
#define HELLOCNN_SERVER_RPC_CLASSIFIER_V1_REQUEST_READER_H_

#include <google/protobuf/arena.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "hellocnn/image.h"
#include "hellocnn/v1/classifier_service.pb.h"

namespace hellocnn::server {

// The content of a ClassifyRequest or a ClassifyStreamRequest.
struct Request {
  // Views of the pixels. INVALID_ARGUMENT: there are no images or too many, or pixels are unset, of
  // the wrong size or not finite. The message names the image, the value found and the value
  // wanted.
  absl::StatusOr<std::span<ImageView>> images;

  // The id of a ClassifyStreamRequest.
  std::uint64_t id = 0;
  // InfiniteDuration if it is unset. INVALID_ARGUMENT: it is out of Duration's range or not > 0.
  absl::StatusOr<absl::Duration> timeout = absl::InfiniteDuration();
};

// A message as it was received: `size` bytes in slices. The slices must stay in place as long as
// the views of a request that was read from them are used.
struct RequestBytes {
  google::protobuf::io::ZeroCopyInputStream* slices;
  std::size_t size;
};

// Reads `bytes` as a Message, which is one of the two specializations below. It accepts and rejects
// the same bytes as protobuf's own parser, which would copy the pixels of each image into a string.
//
// The views are on `arena` and point into the slices. If an image was received in several pieces,
// its view points to a copy on `arena`.
//
// Returns NotA<Message> if the bytes are not a valid message. Thread-safe for different arguments.
// Does not block.
template <typename Message>
absl::StatusOr<Request> ReadRequest(const RequestBytes& bytes, int max_images,
                                    google::protobuf::Arena* arena);
template <>
absl::StatusOr<Request> ReadRequest<v1::ClassifyRequest>(const RequestBytes& bytes, int max_images,
                                                         google::protobuf::Arena* arena);
template <>
absl::StatusOr<Request> ReadRequest<v1::ClassifyStreamRequest>(const RequestBytes& bytes,
                                                               int max_images,
                                                               google::protobuf::Arena* arena);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFIER_V1_REQUEST_READER_H_
