// Reads requests to classify images directly from the buffers of a transport. All validation of
// input is here.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFIER_V1_REQUEST_READER_H_
#define HELLOCNN_SERVER_RPC_CLASSIFIER_V1_REQUEST_READER_H_

#include <google/protobuf/arena.h>
#include <google/protobuf/io/zero_copy_stream.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/v1/classifier_service.pb.h"
#include "server/rpc/classifier_v1/image_contents.h"
#include "server/rpc/core/codec.h"

namespace hellocnn::server {

// A message as it was received: `size` bytes in slices. The slices must stay in place as long as
// the views of a request that was read from them are used.
struct RequestBytes {
  google::protobuf::io::ZeroCopyInputStream* slices;
  std::size_t size;
};

// Reads `bytes` as a Proto, which is ClassifyRequest or ClassifyStreamRequest. It accepts and
// rejects the same bytes as protobuf's own parser, which would copy the pixels of each image into a
// string.
//
// The views are on `arena` and point into the slices. If an image was received in several pieces,
// its view points to a copy on `arena`. The content of `contents` is replaced with the images that
// FitContents must still make: their views mean nothing until then. `id` is set to the id of a
// ClassifyStreamRequest, or to 0. It may be null.
//
// Returns NotA<Proto> if the bytes are not a valid message. Thread-safe for different arguments.
// Does not block.
template <typename Proto>
absl::StatusOr<Request> ReadRequest(const RequestBytes& bytes, int max_images,
                                    google::protobuf::Arena* arena,
                                    std::vector<ImageContent>* contents,
                                    std::uint64_t* id = nullptr);
extern template absl::StatusOr<Request> ReadRequest<v1::ClassifyRequest>(const RequestBytes&, int,
                                                                         google::protobuf::Arena*,
                                                                         std::vector<ImageContent>*,
                                                                         std::uint64_t*);
extern template absl::StatusOr<Request> ReadRequest<v1::ClassifyStreamRequest>(
    const RequestBytes&, int, google::protobuf::Arena*, std::vector<ImageContent>*, std::uint64_t*);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFIER_V1_REQUEST_READER_H_
