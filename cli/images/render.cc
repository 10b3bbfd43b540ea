#include "cli/images/render.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/shown.h"

namespace hellocnn::cli {
namespace {

constexpr char kShades[] = " .:-=+*#%@";
constexpr int kBarWidth = 30;

constexpr std::size_t kRoomyMatrix = 16;   // up to this many classes, columns are spaced apart
constexpr std::size_t kWidestMatrix = 30;  // most classes that fit on a terminal of 120 columns

std::string Repeat(const std::string& what, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) repeated += what;
  return repeated;
}

// Returns the labels for a terminal.
std::vector<std::string> PrintableLabels(const std::vector<std::string>& labels) {
  std::vector<std::string> printable;
  printable.reserve(labels.size());
  for (const std::string& label : labels) printable.push_back(Printable(label));
  return printable;
}

// `labels` are for a terminal already.
std::string RenderAsList(const ConfusionMatrix& matrix, const std::vector<std::string>& labels) {
  std::size_t widest = 5;
  for (const std::string& label : labels) widest = std::max(widest, label.size());
  const int column = static_cast<int>(widest);
  std::string text =
      absl::StrFormat("%*s%10s%9s  %s\n", column, "class", "images", "right", "commonest mistake");
  for (std::size_t row = 0; row < matrix.size(); ++row) {
    const std::int64_t images =
        std::accumulate(matrix[row].begin(), matrix[row].end(), std::int64_t{0});
    if (images == 0) continue;
    std::vector<std::int64_t> mistakes = matrix[row];
    mistakes[row] = 0;
    const auto commonest = std::max_element(mistakes.begin(), mistakes.end());
    text += absl::StrFormat(
        "%*s%10s%8.2f%%  %s\n", column, labels[row], Grouped(images),
        100.0 * static_cast<double>(matrix[row][row]) / static_cast<double>(images),
        *commonest == 0
            ? "-"
            : absl::StrCat(labels[commonest - mistakes.begin()], ", ", Grouped(*commonest)));
  }
  return text;
}

}  // namespace

Style StyleOf(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string(terminal) == "dumb";
  const bool refused = no_color != nullptr && *no_color != '\0';
  return isatty(fd) == 1 && !refused && !dumb ? Style::kColour : Style::kPlain;
}

std::string Draw(absl::Span<const std::uint8_t> grey, Style style) {
  std::string drawing;
  for (int y = 0; y + 1 < client::kImageSide; y += 2) {
    std::string line;
    for (int x = 0; x < client::kImageSide; ++x) {
      const int upper = grey[std::size_t(y) * client::kImageSide + x];
      const int lower = grey[std::size_t(y + 1) * client::kImageSide + x];
      if (style == Style::kColour) {
        absl::StrAppend(&line, "\x1b[38;2;", upper, ";", upper, ";", upper, "m\x1b[48;2;", lower,
                        ";", lower, ";", lower, "m\xe2\x96\x80");
      } else {
        line += kShades[(upper + lower) * 9 / 510];
      }
    }
    if (style == Style::kColour) line += "\x1b[0m";
    drawing += line + "\n";
  }
  return drawing;
}

std::vector<int> Ranking(const client::Prediction& prediction) {
  std::vector<int> ranking(prediction.log_probabilities.size());
  std::iota(ranking.begin(), ranking.end(), 0);
  std::stable_sort(ranking.begin(), ranking.end(), [&](int a, int b) {
    return prediction.log_probabilities[a] > prediction.log_probabilities[b];
  });
  return ranking;
}

std::string Bars(const client::Prediction& prediction, const std::vector<std::string>& raw_labels,
                 int top, Style style) {
  const std::vector<std::string> labels = PrintableLabels(raw_labels);
  const std::vector<int> ranking = Ranking(prediction);
  std::size_t widest = 1;
  for (const std::string& label : labels) widest = std::max(widest, label.size());
  std::string bars;
  for (int rank = 0; rank < std::min<int>(top, std::ssize(ranking)); ++rank) {
    const int index = ranking[rank];
    const double probability = prediction.Probability(index);
    const int length = static_cast<int>(std::lround(std::clamp(probability, 0.0, 1.0) * kBarWidth));
    const std::string bar = Repeat(style == Style::kColour ? "\xe2\x96\x88" : "#", length);
    std::string line = absl::StrFormat("  %*s %6.2f%%  %s", static_cast<int>(widest), labels[index],
                                       100 * probability, bar);
    line.erase(line.find_last_not_of(' ') + 1);
    bars += line + "\n";
  }
  return bars;
}

std::string ProgressLine(std::int64_t done, std::int64_t total, absl::Duration elapsed) {
  const double share = total > 0 ? static_cast<double>(done) / static_cast<double>(total) : 1;
  const int filled = static_cast<int>(share * kBarWidth);
  std::string line =
      absl::StrFormat("[%s%s] %3d%% %s/%s", Repeat("#", filled), Repeat(" ", kBarWidth - filled),
                      static_cast<int>(100 * share), Grouped(done), Grouped(total));
  if (done > 0 && done < total) {
    const absl::Duration left = elapsed * (1 / share - 1);
    absl::StrAppend(&line, ", ", absl::FormatDuration(absl::Ceil(left, absl::Seconds(1))), " left");
  }
  return line;
}

std::string Render(const ConfusionMatrix& matrix, const std::vector<std::string>& raw_labels) {
  const std::vector<std::string> labels = PrintableLabels(raw_labels);
  if (matrix.size() > kWidestMatrix) return RenderAsList(matrix, labels);
  std::size_t widest_label = 0;
  for (const std::string& label : labels) widest_label = std::max(widest_label, label.size());
  std::size_t widest = std::max<std::size_t>(widest_label, matrix.size() > kRoomyMatrix ? 2 : 4);
  for (const std::vector<std::int64_t>& row : matrix) {
    for (const std::int64_t count : row) widest = std::max(widest, absl::StrCat(count).size());
  }
  const int column = static_cast<int>(widest) + 1;
  const int first = static_cast<int>(std::max<std::size_t>(widest_label, 11));
  std::string text = absl::StrFormat("%*s", first, "true \\ said");
  for (const std::string& label : labels) text += absl::StrFormat("%*s", column, label);
  text += "\n";
  for (std::size_t row = 0; row < matrix.size(); ++row) {
    text += absl::StrFormat("%*s", first, labels[row]);
    for (const std::int64_t count : matrix[row]) {
      text += absl::StrFormat("%*s", column, count == 0 ? "." : absl::StrCat(count));
    }
    text += "\n";
  }
  return text;
}

std::string Short(absl::Duration duration) {
  return load::ShortTime(absl::ToDoubleSeconds(duration));
}

}  // namespace hellocnn::cli
