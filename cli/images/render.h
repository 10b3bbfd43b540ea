// Renders text for the terminal. Pure functions, except StyleOf: the caller asks once what the
// terminal can show.
#ifndef HELLOCNN_CLI_IMAGES_RENDER_H_
#define HELLOCNN_CLI_IMAGES_RENDER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "hellocnn/client/client.h"
#include "loadgen/report/text.h"

namespace hellocnn::cli {

// kPlain is ASCII, for pipes; kColour uses half blocks in 24-bit greys.
enum class Style { kPlain, kColour };

// Returns kColour if file descriptor `fd` is a terminal with colours and NO_COLOR
// (https://no-color.org) is not set.
Style StyleOf(int fd);

// Returns a picture of 32x32 grey levels as 16 lines of 32 characters. Each character stands for
// two pixels, one above the other.
std::string Draw(absl::Span<const std::uint8_t> grey, Style style);

// Returns a line for each of the `top` most likely classes, or for all if there are fewer: label,
// probability, bar. `labels` has as many as the prediction has classes.
std::string Bars(const client::Prediction& prediction, const std::vector<std::string>& labels,
                 int top, Style style);

// Returns the class indices from the most to the least likely; of equally likely ones, the lowest
// first.
std::vector<int> Ranking(const client::Prediction& prediction);

// Returns one line without a line end: bar, share and counts, and the time left if `done` > 0.
std::string ProgressLine(std::int64_t done, std::int64_t total, absl::Duration elapsed);

// A square matrix. Rows are the true classes, and columns are the predicted classes.
using ConfusionMatrix = std::vector<std::vector<std::int64_t>>;
// Returns the matrix as a table. A terminal has no room for more than 30 classes. In that case,
// returns a line for each class: the number of images, the share that was right, and the commonest
// mistake. `labels` has one label for each row.
std::string Render(const ConfusionMatrix& matrix, const std::vector<std::string>& labels);

// Returns a duration such as "1.24 ms", "310 us" or "2.05 s".
std::string Short(absl::Duration duration);

using load::Grouped;

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_RENDER_H_
