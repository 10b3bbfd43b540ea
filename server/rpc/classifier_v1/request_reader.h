// Reads requests to classify images where a transport has put their bytes. All validation of input
// is here.
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

// What a ClassifyRequest or a ClassifyStreamRequest says.
struct Request {
  // Views of the pixels. INVALID_ARGUMENT names the image, what was found and what was wanted: no
  // image, more than allowed, pixels unset, of the wrong size or not finite.
  absl::StatusOr<std::span<ImageView>> images;

  // Of a ClassifyStreamRequest.
  std::uint64_t id = 0;
  // InfiniteDuration if it is unset. INVALID_ARGUMENT: out of Duration's range or not > 0.
  absl::StatusOr<absl::Duration> timeout = absl::InfiniteDuration();
};

// A message as it was received: `size` bytes in slices, which stay where they are for as long as
// the views of a request that was read from them.
struct RequestBytes {
  google::protobuf::io::ZeroCopyInputStream* slices;
  std::size_t size;
};

// Reads `bytes` as a Message, one of the two. Accepts and rejects what protobuf's own parser does,
// which would copy the pixels of each image into a string of its own. The views, which are on
// `arena`, point into the slices, or to a copy on `arena` if an image was received in two pieces.
// Returns NotA<Message> if the bytes are none. Thread-safe for different arguments; does not block.
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
