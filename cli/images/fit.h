// Fits a picture of any size to the network's input.
#ifndef HELLOCNN_CLI_IMAGES_FIT_H_
#define HELLOCNN_CLI_IMAGES_FIT_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/images/picture.h"
#include "hellocnn/client/client.h"

namespace hellocnn::cli {

// The 1,024 grey levels to send, from `picture.grey`. One of 32x32 is taken as it is. Any other is
// scaled into content_size x content_size with its proportions kept (each pixel of the result is
// the mean of the area that it covers, so enlarging keeps sharp edges), centred, and padded with
// black by `padding`. Content of the right size is not touched. INVALID_ARGUMENT: the picture is
// empty, or content and padding do not make 32.
absl::StatusOr<std::vector<std::uint8_t>> FitGrey(const Picture& picture,
                                                  const client::Preprocessing& preprocessing);

// What to send for `picture`, fitted or normalised already. Errors as FitGrey.
absl::StatusOr<client::Image> ToImage(const Picture& picture,
                                      const client::Preprocessing& preprocessing);

// What to draw for `picture`: as FitGrey, or its normalised values made grey again.
absl::StatusOr<std::vector<std::uint8_t>> ToPreview(const Picture& picture,
                                                    const client::Preprocessing& preprocessing);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_FIT_H_
