// Makes images for the network out of what files hold.
#ifndef HELLOCNN_CLI_IMAGES_FIT_H_
#define HELLOCNN_CLI_IMAGES_FIT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "cli/images/image_source.h"
#include "hellocnn/client/client.h"
#include "hellocnn/client/picture.h"

namespace hellocnn::cli {

// Returns the 1,024 grey levels to send for `grey`, [height, width], light on dark. Scales it as
// client::Fit::kAsIs does. Images of the right size are only padded. INVALID_ARGUMENT: the image is
// empty, or content and padding do not add up to 32.
absl::StatusOr<std::vector<std::uint8_t>> FitGrey(absl::Span<const std::uint8_t> grey, int width,
                                                  int height,
                                                  const client::Preprocessing& preprocessing);

struct FitOptions {
  bool raw = false;                // files hold raw pixels
  bool invert = false;             // the ink is darker than its background
  std::optional<client::Fit> fit;  // unset: FitOf decides
};

// An image that is ready to be sent.
struct FittedImage {
  client::Finding finding = client::Finding::kDigit;
  std::string explanation;             // unless `finding` is kDigit
  std::vector<std::uint8_t> grey;      // the 1,024 grey levels that the network sees
  std::optional<client::Image> image;  // unset if there is nothing to see
};

// Returns how `source` is made an image for the network: as the options say, or else kMnist for
// pictures, and kAsIs for raw pixels and for images of data sets.
client::Fit FitOf(const SourceImage& source, const FitOptions& options);

// Decodes and prepares `source`, whose status is OK. Raw pixels are recognised by their number: 784
// grey levels are 28x28, 1,024 are 32x32, and 4,096 bytes are 32x32 normalised little-endian
// floats. Returns the errors of client::DecodePicture and client::Prepare, which name the file.
absl::StatusOr<FittedImage> FitImage(const SourceImage& source,
                                     const client::Preprocessing& preprocessing,
                                     const FitOptions& options);

// Returns true if the border of an image of 1,024 grey levels is mostly bright inside the padding,
// as it is for dark ink on light paper.
bool LooksDarkOnLight(absl::Span<const std::uint8_t> grey,
                      const client::Preprocessing& preprocessing);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_FIT_H_
