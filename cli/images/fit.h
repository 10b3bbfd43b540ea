// Fits a picture of any size to the network's input.
#ifndef HELLOCNN_CLI_IMAGES_FIT_H_
#define HELLOCNN_CLI_IMAGES_FIT_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/images/picture.h"
#include "hellocnn/client/client.h"

namespace hellocnn::cli {

// Returns the 1,024 grey levels to send, from `picture.grey`. A picture of 32x32 is used as it is.
// Any other picture is scaled into content_size x content_size with its proportions kept. Each
// pixel of the result is the mean of the area that it covers, so enlarging keeps edges sharp. The
// result is centred, and padded with black by `padding`. Content of the right size is not changed.
// INVALID_ARGUMENT: the picture is empty, or content and padding do not add up to 32.
absl::StatusOr<std::vector<std::uint8_t>> FitGrey(const Picture& picture,
                                                  const client::Preprocessing& preprocessing);

// Returns the image to send for `picture`, which is fitted unless it is normalised already. Returns
// the errors of FitGrey.
absl::StatusOr<client::Image> ToImage(const Picture& picture,
                                      const client::Preprocessing& preprocessing);

// Returns the grey levels to draw for `picture`: those of FitGrey, or its normalised values
// converted back to grey.
absl::StatusOr<std::vector<std::uint8_t>> ToPreview(const Picture& picture,
                                                    const client::Preprocessing& preprocessing);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_FIT_H_
