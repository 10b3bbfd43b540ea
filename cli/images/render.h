// Text for the terminal. Pure functions: what the terminal can do is asked once, by the caller.
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

// kColour if file descriptor `fd` is a terminal that can, and NO_COLOR (https://no-color.org) is
// not set.
Style StyleOf(int fd);

// A picture of 32x32 grey levels in 16 lines of 32 characters, each of which stands for two pixels,
// one above the other.
std::string Draw(absl::Span<const std::uint8_t> grey, Style style);

// Returns a line for each of the `top` most likely classes, or for all if there are fewer: label,
// probability, bar. `labels` has as many as the prediction has classes.
std::string Bars(const client::Prediction& prediction, const std::vector<std::string>& labels,
                 int top, Style style);

// Returns the class indices from the most to the least likely; of equally likely ones, the lowest
// first.
std::vector<int> Ranking(const client::Prediction& prediction);

// One line without an end: bar, share, counts, and the time left if `done` > 0.
std::string ProgressLine(std::int64_t done, std::int64_t total, absl::Duration elapsed);

// Rows are true classes, columns what the model said. Square.
using ConfusionMatrix = std::vector<std::vector<std::int64_t>>;
// Returns the matrix as a table. Of more than 30 classes, which no terminal has room for, a line
// for each class instead: how many images, the share that was right, and its commonest mistake.
// `labels` has one for each row.
std::string Render(const ConfusionMatrix& matrix, const std::vector<std::string>& labels);

// "1.24 ms", "310 us", "2.05 s".
std::string Short(absl::Duration duration);

using load::Grouped;

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_RENDER_H_
