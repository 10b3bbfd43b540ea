#include "cli/commands/comparison.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/shown.h"

namespace hellocnn::cli {
namespace {

constexpr std::int64_t kFewest = 25;  // images for which chi-squared is a good approximation
constexpr std::size_t kPictureColumns = 32;
constexpr std::size_t kCell = 36;  // columns of a picture and the gap after it

// Returns the probability of at most `most` heads in `tosses` tosses of a fair coin.
double AtMost(std::int64_t most, std::int64_t tosses) {
  double ways = 1;  // tosses over heads
  double sum = 0;
  for (std::int64_t heads = 0; heads <= most; ++heads) {
    sum += ways;
    ways = ways * static_cast<double>(tosses - heads) / static_cast<double>(heads + 1);
  }
  return sum / std::exp2(static_cast<double>(tosses));
}

std::string Label(const ComparisonView& view, int index) {
  return Printable(view.labels[static_cast<std::size_t>(index)]);
}

// Returns the line above a picture.
std::string Caption(const ChangedImage& image, const ComparisonView& view) {
  const char* const verdict = image.b == image.label   ? ", now right"
                              : image.a == image.label ? ", now wrong"
                                                       : "";
  return absl::StrCat("image ", image.index, " is ", Label(view, image.label), ": ",
                      Label(view, image.a), " -> ", Label(view, image.b), verdict);
}

// Returns pictures side by side, each below its caption, which is narrower than kCell.
std::string DrawRow(absl::Span<const ChangedImage> images, const ComparisonView& view) {
  std::vector<std::string> lines(1);
  for (const ChangedImage& image : images) {
    // A cell is wider than a picture by the gap. In colours, a picture has more bytes than columns.
    const std::string gap(kCell - kPictureColumns, ' ');
    const std::string caption = Caption(image, view);
    absl::StrAppend(&lines[0], caption, std::string(kCell - std::min(kCell, caption.size()), ' '));
    const std::string drawing = Draw(view.picture(image.index), view.style);
    const std::vector<absl::string_view> drawn = absl::StrSplit(drawing, '\n', absl::SkipEmpty());
    lines.resize(drawn.size() + 1);
    for (std::size_t i = 0; i < drawn.size(); ++i) absl::StrAppend(&lines[i + 1], drawn[i], gap);
  }
  std::string text = "\n";
  for (std::string& line : lines) {
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

std::string DrawChanged(const Comparison& comparison, const ComparisonView& view) {
  const auto shown =
      absl::MakeConstSpan(comparison.changed).subspan(0, static_cast<std::size_t>(view.pictures));
  // Long labels leave no room for a second picture beside the first.
  const bool narrow = std::all_of(shown.begin(), shown.end(), [&](const ChangedImage& image) {
    return Caption(image, view).size() < kCell;
  });
  const std::size_t in_row = narrow ? std::max<std::size_t>(1, view.columns / kCell) : 1;
  std::string text;
  for (std::size_t at = 0; at < shown.size(); at += in_row) {
    text += DrawRow(shown.subspan(at, in_row), view);
  }
  return text;
}

}  // namespace

McNemarResult McNemarTest(std::int64_t only_a_right, std::int64_t only_b_right) {
  const std::int64_t discordant = only_a_right + only_b_right;
  if (discordant < kFewest) {
    const double tail = AtMost(std::min(only_a_right, only_b_right), discordant);
    return {std::min(1.0, 2 * tail), true};
  }
  const double apart =
      std::max(0.0, std::abs(static_cast<double>(only_a_right - only_b_right)) - 1);
  // The tail of chi-squared with one degree of freedom, beyond apart^2 / discordant.
  return {std::erfc(apart / std::sqrt(2 * static_cast<double>(discordant))), false};
}

Comparison Compare(const std::vector<int>& labels, const std::vector<int>& a,
                   const std::vector<int>& b) {
  Comparison comparison;
  comparison.images = static_cast<std::int64_t>(labels.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const bool a_right = a[i] == labels[i];
    const bool b_right = b[i] == labels[i];
    ++(a_right ? (b_right ? comparison.both_right : comparison.only_a_right)
               : (b_right ? comparison.only_b_right : comparison.both_wrong));
    if (a[i] != b[i]) comparison.changed.push_back({i, labels[i], a[i], b[i]});
  }
  comparison.mcnemar = McNemarTest(comparison.only_a_right, comparison.only_b_right);
  return comparison;
}

CLI::Option* AddPicturesOption(CLI::App& command, int& pictures) {
  return command
      .add_option("--pictures", pictures, "most images that are drawn of those that changed class")
      ->check(CLI::Range(0, 1000))
      ->type_name("N")
      ->capture_default_str();
}

std::string ToText(const Comparison& comparison, const ComparisonView& view) {
  const Comparison& c = comparison;
  std::string text =
      absl::StrFormat("%18s%12s%12s\n%18s%12s%12s\n%18s%12s%12s\n\n", "", "B right", "B wrong",
                      "A right", Grouped(c.both_right), Grouped(c.only_a_right), "A wrong",
                      Grouped(c.only_b_right), Grouped(c.both_wrong));
  absl::StrAppendFormat(&text, "Of %s images, A has %.2f%% right and B has %.2f%%.\n",
                        Grouped(c.images), 100 * c.accuracy_of_a(), 100 * c.accuracy_of_b());
  absl::StrAppendFormat(&text,
                        "McNemar's test, %s: p = %.2g, from %s images that only one has right.\n",
                        c.mcnemar.exact ? "exact" : "chi-squared", c.mcnemar.p_value,
                        Grouped(c.only_a_right + c.only_b_right));
  absl::StrAppend(&text, Grouped(std::ssize(c.changed)), " images changed class.\n",
                  DrawChanged(c, view));
  return text;
}

nlohmann::ordered_json ToJson(const Comparison& comparison) {
  nlohmann::ordered_json changed = nlohmann::ordered_json::array();
  for (const ChangedImage& image : comparison.changed) {
    changed.push_back(
        {{"index", image.index}, {"label", image.label}, {"a", image.a}, {"b", image.b}});
  }
  return {{"images", comparison.images},
          {"both_right", comparison.both_right},
          {"only_a_right", comparison.only_a_right},
          {"only_b_right", comparison.only_b_right},
          {"both_wrong", comparison.both_wrong},
          {"accuracy_of_a", comparison.accuracy_of_a()},
          {"accuracy_of_b", comparison.accuracy_of_b()},
          {"mcnemar",
           {{"p_value", comparison.mcnemar.p_value},
            {"method", comparison.mcnemar.exact ? "exact" : "chi-squared"}}},
          {"changed", std::move(changed)}};
}

}  // namespace hellocnn::cli
