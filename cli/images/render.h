// Text for the terminal. Pure functions: what the terminal can do is asked once, by the caller.
#ifndef HELLOCNN_CLI_IMAGES_RENDER_H_
#define HELLOCNN_CLI_IMAGES_RENDER_H_

#include <array>
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

// The `top` most likely classes, one line each: label, probability, bar.
std::string Bars(const client::Prediction& prediction, const std::vector<std::string>& labels,
                 int top, Style style);

// The classes from the most to the least likely; of equal ones, the lowest first.
std::array<int, client::kClasses> Ranking(const client::Prediction& prediction);

// One line without an end: bar, share, counts, and the time left if `done` > 0.
std::string ProgressLine(std::int64_t done, std::int64_t total, absl::Duration elapsed);

// Rows are true classes, columns what the model said.
using ConfusionMatrix = std::array<std::array<std::int64_t, client::kClasses>, client::kClasses>;
std::string Render(const ConfusionMatrix& matrix, const std::vector<std::string>& labels);

// "1.24 ms", "310 us", "2.05 s".
std::string Short(absl::Duration duration);

using load::Grouped;

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_IMAGES_RENDER_H_
