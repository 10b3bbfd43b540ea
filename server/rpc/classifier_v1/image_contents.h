// Images that are not yet what the network wants: without a border, or encoded.
#ifndef HELLOCNN_SERVER_RPC_CLASSIFIER_V1_IMAGE_CONTENTS_H_
#define HELLOCNN_SERVER_RPC_CLASSIFIER_V1_IMAGE_CONTENTS_H_

#include <google/protobuf/arena.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "hellocnn/image.h"
#include "hellocnn/model_card.h"

namespace hellocnn::server {

// A request may have so many encoded pictures, and they so many pixels together. To decode and
// prepare one takes a worker some milliseconds, up to some tens.
inline constexpr int kMostEncodedPictures = 8;
inline constexpr std::int64_t kMostEncodedPixels = std::int64_t{1} << 20;

struct ImageContent {
  enum class Kind { kGray8, kFloat32, kPicture };

  int index = 0;  // of its image in the request
  Kind kind = Kind::kGray8;
  int side = 0;  // rows and columns; not for kPicture
  std::string_view bytes;
};

// Makes an image on `arena` out of each content, and sets the view of it in `images`, the images of
// the request. Images get a black border, as the card says it. Pictures are decoded and prepared as
// `hellocnn classify` does it: the digit is found, scaled and centred. INVALID_ARGUMENT names the
// image: its sides are not those of the model's content, or it is no picture that can be decoded,
// or one too many, or one with too many pixels, or one without exactly one digit.
absl::Status FitContents(const ModelCard& card, std::span<const ImageContent> contents,
                         std::span<ImageView> images, google::protobuf::Arena* arena);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CLASSIFIER_V1_IMAGE_CONTENTS_H_
