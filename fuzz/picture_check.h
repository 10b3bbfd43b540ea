// What is asked of a decoded picture.
#ifndef HELLOCNN_FUZZ_PICTURE_CHECK_H_
#define HELLOCNN_FUZZ_PICTURE_CHECK_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "fuzz/check.h"
#include "hellocnn/client/picture.h"

namespace hellocnn::fuzz {

// Requires a good error, or a picture whose sizes agree and whose opaque form is the same after it
// is written as a PPM file and read again.
inline void CheckPicture(const absl::StatusOr<client::Picture>& picture, const std::string& name) {
  if (absl::IsUnimplemented(picture.status())) {
    // A format that is named and not read.
    Require(picture.status().message().find("Convert it: ") != absl::string_view::npos ||
                picture.status().message().find("take one frame: ") != absl::string_view::npos,
            "a format that nothing converts", picture.status().ToString());
    return;
  }
  if (!picture.ok()) return RequireGoodError(picture.status(), name + ": ");
  Require(picture->width > 0 && picture->width <= client::kMaxPictureSide && picture->height > 0 &&
              picture->height <= client::kMaxPictureSide && picture->scale >= 1,
          "an impossible size");
  const std::size_t pixels =
      static_cast<std::size_t>(picture->width) * static_cast<std::size_t>(picture->height);
  Require(picture->rgba.size() == pixels * 4, "another number of values");
  std::string ppm =
      "P6\n" + std::to_string(picture->width) + " " + std::to_string(picture->height) + "\n65535\n";
  client::Picture opaque = *picture;
  for (std::size_t i = 0; i < opaque.rgba.size(); ++i) {
    if (i % 4 == 3) {
      opaque.rgba[i] = 65535;
      continue;
    }
    ppm += static_cast<char>(opaque.rgba[i] >> 8);
    ppm += static_cast<char>(opaque.rgba[i]);
  }
  const absl::StatusOr<client::Picture> again = client::DecodePicture(name, ppm);
  Require(again.ok() && again->width == opaque.width && again->height == opaque.height &&
              again->rgba == opaque.rgba,
          "another picture after it was written and read", again.status().ToString());
}

// Requires that a decoded picture can be prepared, and that the result keeps its promises.
inline void CheckPreparation(const client::Picture& picture,
                             const client::PrepareOptions& options) {
  const absl::StatusOr<client::PreparedPicture> prepared =
      client::Prepare(picture, {28, 2, 0.1307F, 0.3081F}, options);
  Require(prepared.ok(), "a decoded picture was not prepared", prepared.status().ToString());
  Require(prepared->grey.size() == client::kImagePixels, "another number of grey levels");
  Require(prepared->explanation.empty() == (prepared->finding == client::Finding::kDigit),
          "an explanation without a finding, or the reverse");
}

}  // namespace hellocnn::fuzz

#endif  // HELLOCNN_FUZZ_PICTURE_CHECK_H_
