// Pictures in requests, as images for a model.
#ifndef HELLOCNN_SERVER_RPC_CORE_PREPARED_PICTURE_H_
#define HELLOCNN_SERVER_RPC_CORE_PREPARED_PICTURE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "hellocnn/model_card.h"

namespace hellocnn::server {

struct PreparedPicture {
  std::vector<std::uint8_t> grey;  // the 1,024 grey levels that the network sees
  std::int64_t pixels = 0;         // of the picture
};

// Decodes the bytes of a picture file of at most `max_pixels` pixels, and prepares it for the model
// as `hellocnn classify` does: the digit is found, scaled and centred. Takes milliseconds up to
// some tens, on the caller's thread. Thread-safe. INVALID_ARGUMENT begins with `name`: the bytes
// are no picture that can be decoded, or one that is larger, or one without exactly one digit.
absl::StatusOr<PreparedPicture> PreparePicture(const std::string& name, std::string_view bytes,
                                               std::int64_t max_pixels, const ModelCard& card);

}  // namespace hellocnn::server

#endif  // HELLOCNN_SERVER_RPC_CORE_PREPARED_PICTURE_H_
