// Compares what two versions say of the same labelled images. Nothing here has side effects.
#ifndef HELLOCNN_CLI_COMMANDS_COMPARISON_H_
#define HELLOCNN_CLI_COMMANDS_COMPARISON_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "cli/images/render.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace hellocnn::cli {

// The result of McNemar's test.
struct McNemarResult {
  // The probability of a difference at least as large as the one found, if both versions were
  // equally good. 0 to 1.
  double p_value = 1;
  bool exact = true;  // from the binomial distribution; else from chi-squared
};

// Tests whether two versions are right equally often, from the images on which only one of them is
// right. Fewer than 25 such images are tested exactly. More are tested with chi-squared with
// Edwards's continuity correction. Both numbers are >= 0.
McNemarResult McNemarTest(std::int64_t only_a_right, std::int64_t only_b_right);

// An image of which the two versions say different classes.
struct ChangedImage {
  std::size_t index = 0;  // of the image
  int label = 0;
  int a = 0;  // what A says
  int b = 0;
};

struct Comparison {
  std::int64_t images = 0;
  std::int64_t both_right = 0;
  std::int64_t only_a_right = 0;
  std::int64_t only_b_right = 0;
  std::int64_t both_wrong = 0;
  McNemarResult mcnemar;
  std::vector<ChangedImage> changed;  // in the order of the images

  double accuracy_of_a() const { return Share(both_right + only_a_right); }
  double accuracy_of_b() const { return Share(both_right + only_b_right); }

 private:
  double Share(std::int64_t right) const {
    return static_cast<double>(right) / static_cast<double>(images);
  }
};

// Compares the classes that A and B say with the labels. All three have the same size, at least 1.
Comparison Compare(const std::vector<int>& labels, const std::vector<int>& a,
                   const std::vector<int>& b);

// How a comparison is shown on a terminal.
struct ComparisonView {
  std::vector<std::string> labels;  // of the classes; not escaped
  // Returns the 1,024 grey levels of an image.
  std::function<absl::Span<const std::uint8_t>(std::size_t)> picture;
  int pictures = 0;  // most images that are drawn
  Style style = Style::kPlain;
  std::size_t columns = 80;  // of the terminal
};

// Adds --pictures, which sets `pictures`. It must outlive parsing.
CLI::Option* AddPicturesOption(CLI::App& command, int& pictures);

// Returns the comparison for people: counts, the test, and pictures of images that changed class.
std::string ToText(const Comparison& comparison, const ComparisonView& view);

// Returns the comparison as JSON, with all images that changed class.
nlohmann::ordered_json ToJson(const Comparison& comparison);

}  // namespace hellocnn::cli

#endif  // HELLOCNN_CLI_COMMANDS_COMPARISON_H_
