// What is asked of a decoded picture.
#ifndef HELLOCNN_FUZZ_PICTURE_CHECK_H_
#define HELLOCNN_FUZZ_PICTURE_CHECK_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "cli/images/decode.h"
#include "cli/images/picture.h"
#include "cli/images/pnm.h"
#include "fuzz/check.h"

namespace hellocnn::fuzz {

// Requires a good error, or a picture whose sizes agree and that is the same after it is written as
// a PGM file and read again.
inline void CheckPicture(const absl::StatusOr<cli::Picture>& picture, const std::string& name) {
  if (!picture.ok()) return RequireGoodError(picture.status(), name + ": ");
  Require(picture->width > 0 && picture->height > 0 &&
              picture->width <= cli::kMaxPixels / picture->height,
          "an impossible size");
  const std::size_t pixels =
      static_cast<std::size_t>(picture->width) * static_cast<std::size_t>(picture->height);
  Require(picture->grey.size() + picture->normalised.size() == pixels, "another number of pixels");
  if (picture->grey.empty()) return;
  std::string pgm =
      "P5\n" + std::to_string(picture->width) + " " + std::to_string(picture->height) + "\n255\n";
  pgm.append(picture->grey.begin(), picture->grey.end());
  const absl::StatusOr<cli::Picture> again = cli::DecodePnm(name, pgm);
  Require(again.ok() && again->width == picture->width && again->height == picture->height &&
              again->grey == picture->grey,
          "another picture after it was written and read", again.status().ToString());
}

}  // namespace hellocnn::fuzz

#endif  // HELLOCNN_FUZZ_PICTURE_CHECK_H_
