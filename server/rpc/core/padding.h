// Images without the border that the network wants.
#ifndef HELLOCNN_SERVER_RPC_CORE_PADDING_H_
#define HELLOCNN_SERVER_RPC_CORE_PADDING_H_

#include <cstddef>

#include "hellocnn/image.h"
#include "hellocnn/model_card.h"

namespace hellocnn::server {

// Writes an image with a black border, as the card says it, to `image`, which has
// BytesPerImage(format) bytes. `content` has card.content_size rows and columns.
void Pad(const std::byte* content, PixelFormat format, const ModelCard& card, std::byte* image);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_PADDING_H_
