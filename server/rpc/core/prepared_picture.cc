#include "server/rpc/core/prepared_picture.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/error_details.h"
#include "hellocnn/client/picture.h"

namespace hellocnn::server {

absl::StatusOr<PreparedPicture> PreparePicture(const std::string& name, std::string_view bytes,
                                               std::int64_t max_pixels, const ModelCard& card) {
  const absl::StatusOr<client::Picture> picture = client::DecodePicture(name, bytes, max_pixels);
  if (!picture.ok()) {
    return WithField(absl::InvalidArgumentError(picture.status().message()), name);
  }
  absl::StatusOr<client::PreparedPicture> prepared =
      client::Prepare(*picture, {.content_size = card.content_size,
                                 .padding = card.padding,
                                 .mean = card.normalization.mean,
                                 .standard_deviation = card.normalization.standard_deviation});
  if (!prepared.ok()) {
    return InvalidField(name, absl::StrCat(": ", prepared.status().message()));
  }
  if (prepared->finding != client::Finding::kDigit) {
    return InvalidField(name, absl::StrCat(": ", prepared->explanation));
  }
  const double rows = picture->height * picture->scale;
  const double columns = picture->width * picture->scale;
  return PreparedPicture{std::move(prepared->grey), static_cast<std::int64_t>(rows * columns)};
}

}  // namespace hellocnn::server
