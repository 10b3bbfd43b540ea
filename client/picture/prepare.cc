#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/picture/ink.h"
#include "client/picture/normalise.h"
#include "client/picture/plane.h"
#include "client/picture/threshold.h"
#include "hellocnn/client/picture.h"

namespace hellocnn::client {
namespace {

using picture::Box;
using picture::FindInk;
using picture::Ink;
using picture::Plane;
using picture::Polarity;
using Weights = std::array<float, 3>;  // of red, green and blue

constexpr Weights kLuminance = {0.299F, 0.587F, 0.114F};
constexpr float kFull = 65535;
// A picture is reduced to this many rows or columns before ink is looked for.
constexpr int kAnalysedSide = 256;
// A digit with fewer rows and columns after that is looked at more closely, in a part of the
// picture that is reduced to the second number.
constexpr int kLeastAnalysedSide = 64;
constexpr int kCloserSide = 128;

// A hypothesis about the background: it is smooth over this share of the picture, 0 for the same
// everywhere. Smaller windows explain more, ink that touches the border among it, so that they must
// explain it better.
struct Background {
  double share;
  double doubt;  // is added to what FindInk leaves
};
constexpr std::array<Background, 4> kBackgrounds = {{{0, 0}, {0.6, 0}, {0.25, 0.1}, {0.12, 0.1}}};
// A hypothesis with less doubt is believed without trying others.
constexpr double kLittleDoubt = 0.2;
// The least rows or columns of a digit, in pixels of the file. Smaller ones cannot be read.
constexpr int kLeastSide = 7;
// The least contrast, as a share of full brightness, of pictures with 8 bits and with more.
constexpr float kLeastContrast = 0.025F;
constexpr float kLeastFineContrast = 0.0025F;
// The least contrast, as a multiple of the noise.
constexpr float kLeastSignal = 4;

// Returns one value for each pixel, 0 to 1. Transparent parts take the level `behind`.
Plane Mix(const Picture& picture, const Weights& weights, float behind) {
  Plane plane(picture.width, picture.height);
  for (std::size_t i = 0; i < plane.values.size(); ++i) {
    const std::uint16_t* pixel = &picture.rgba[4 * i];
    const float value = weights[0] * pixel[0] + weights[1] * pixel[1] + weights[2] * pixel[2];
    const float alpha = pixel[3] / kFull;
    plane.values[i] = value / kFull * alpha + behind * (1 - alpha);
  }
  return plane;
}

// Returns `plane` with at most `longest` rows and columns.
Plane Reduce(const Plane& plane, int longest) {
  const int longer = std::max(plane.width, plane.height);
  if (longer <= longest) return plane;
  const auto side = [&](std::int64_t length) {
    return static_cast<int>(std::max(std::int64_t{1}, length * longest / longer));
  };
  return Resize(plane, side(plane.width), side(plane.height));
}

float Contrast(const Plane& plane) {
  const picture::Split split =
      SplitLevels(Blur(plane, std::max(plane.width, plane.height) / kAnalysedSide));
  return split.high - split.low;
}

// Returns the level behind transparent parts that shows what is not transparent: white behind dark
// ink, black behind light ink.
float Backdrop(const Picture& picture) {
  double light = 0;
  double opaque = 0;
  for (std::size_t i = 0; i < picture.rgba.size(); i += 4) {
    const double alpha = picture.rgba[i + 3] / kFull;
    const std::uint16_t* pixel = &picture.rgba[i];
    light +=
        alpha * (kLuminance[0] * pixel[0] + kLuminance[1] * pixel[1] + kLuminance[2] * pixel[2]);
    opaque += alpha;
  }
  return light > 0.5 * kFull * opaque ? 0 : 1;
}

// Returns the luminance or, where that hardly tells ink from paper, the primary colour that does:
// yellow on white shows only in blue.
Plane ChoosePlane(const Picture& picture, const PrepareOptions& options) {
  const float behind = options.dark_ink ? 1 : Backdrop(picture);
  Plane best = Mix(picture, kLuminance, behind);
  float contrast = 2 * Contrast(Reduce(best, kAnalysedSide));
  for (const Weights& primary : {Weights{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}) {
    Plane plane = Mix(picture, primary, behind);
    const float here = Contrast(Reduce(plane, kAnalysedSide));
    if (here <= contrast) continue;
    contrast = here;
    best = std::move(plane);
  }
  return best;
}

// Tries both polarities, and backgrounds from the simplest on: the same everywhere, then smooth
// over ever smaller windows, as under a shadow. Returns the ink that leaves the least doubt.
Ink BestInk(const Plane& plane, const PrepareOptions& options) {
  Ink best;
  best.doubt = std::numeric_limits<double>::infinity();
  for (const Background& background : kBackgrounds) {
    for (const Polarity polarity : {Polarity::kDarkInk, Polarity::kLightInk}) {
      if (options.dark_ink && polarity == Polarity::kLightInk) continue;
      Ink ink = FindInk(plane, polarity, background.share);
      ink.doubt += background.doubt;
      if (ink.doubt < best.doubt) best = std::move(ink);
    }
    if (best.doubt < kLittleDoubt) break;
  }
  return best;
}

struct FoundDigit {
  Ink ink;
  double scale = 1;  // rows of the plane for each row of the ink
};

FoundDigit Analyse(const Plane& plane, int longest, const PrepareOptions& options) {
  const Plane reduced = Reduce(plane, longest);
  const auto longer = [](const Plane& of) { return std::max(of.width, of.height); };
  return {BestInk(reduced, options), static_cast<double>(longer(plane)) / longer(reduced)};
}

// Returns the pixels of `plane` in and around `box`, by half of its longer side.
Plane Crop(const Plane& plane, const Box& box) {
  const int margin = std::max(box.width(), box.height()) / 2;
  const Box around{std::max(0, box.left - margin), std::max(0, box.top - margin),
                   std::min(plane.width, box.right + margin),
                   std::min(plane.height, box.bottom + margin)};
  return Resize(plane, around, around.width(), around.height());
}

// Finds the digit in the reduced plane. Of a small digit in a large picture this leaves too few
// pixels, so that its surroundings are cut out and searched again, unless they are too noisy.
FoundDigit FindDigit(const Plane& plane, const PrepareOptions& options) {
  FoundDigit found = Analyse(plane, kAnalysedSide, options);
  const Box& box = found.ink.box;
  const int side = std::max(box.width(), box.height());
  if (side < 1 || side >= kLeastAnalysedSide || found.scale <= 1) return found;
  const double across = static_cast<double>(plane.width) / found.ink.level.width;
  const double down = static_cast<double>(plane.height) / found.ink.level.height;
  const Box large{static_cast<int>(box.left * across), static_cast<int>(box.top * down),
                  static_cast<int>(std::ceil(box.right * across)),
                  static_cast<int>(std::ceil(box.bottom * down))};
  FoundDigit closer = Analyse(Crop(plane, large), kCloserSide, options);
  const bool is_clear = closer.ink.contrast >= kLeastSignal * closer.ink.noise;
  return is_clear && closer.ink.box.width() > 0 ? closer : found;
}

PreparedPicture Nothing(const std::string& why) {
  return {Finding::kNothing, absl::StrCat("there is nothing to see in this picture: ", why),
          std::vector<std::uint8_t>(kImagePixels, 0)};
}

PreparedPicture PrepareAsMnist(const Picture& picture, const Preprocessing& preprocessing,
                               const PrepareOptions& options) {
  const Plane plane = ChoosePlane(picture, options);
  const auto [least, greatest] = std::minmax_element(plane.values.begin(), plane.values.end());
  if (*greatest - *least <= 0) return Nothing("it has one colour");
  const auto [ink, scale] = FindDigit(plane, options);
  const float wanted = std::max(picture.more_than_8_bits ? kLeastFineContrast : kLeastContrast,
                                kLeastSignal * ink.noise);
  if (ink.contrast < wanted) {
    return Nothing(
        absl::StrFormat("the strongest ink differs from its background by %.2f%% of full "
                        "brightness; at least %.2f%% is needed",
                        100 * ink.contrast, 100 * wanted));
  }
  const double side = std::max({0, ink.box.width(), ink.box.height()}) * scale * picture.scale;
  if (side < kLeastSide) {
    return Nothing(absl::StrFormat(
        "the largest mark has %d pixels on its longer side; a digit needs at least %d",
        static_cast<int>(side), kLeastSide));
  }
  PreparedPicture prepared{
      Finding::kDigit, "",
      Normalise(ink.level, ink.box, preprocessing.content_size, preprocessing.padding)};
  if (ink.several) {
    prepared.finding = Finding::kSeveral;
    prepared.explanation = "more than one digit? Crop the picture to one";
  }
  return prepared;
}

// Scales the whole picture into the content, and centres it.
std::vector<std::uint8_t> PrepareAsIs(const Picture& picture, const Preprocessing& preprocessing,
                                      const PrepareOptions& options) {
  Plane plane = Mix(picture, kLuminance, options.dark_ink ? 1 : 0);
  if (options.dark_ink) {
    for (float& value : plane.values) value = 1 - value;
  }
  // A picture that has the size of the network's input already includes the padding.
  const bool is_input = plane.width == kImageSide && plane.height == kImageSide;
  const int content = is_input ? kImageSide : preprocessing.content_size;
  const double scale = static_cast<double>(content) / std::max(plane.width, plane.height);
  const int width = std::clamp(static_cast<int>(std::lround(plane.width * scale)), 1, content);
  const int height = std::clamp(static_cast<int>(std::lround(plane.height * scale)), 1, content);
  const Plane scaled = Resize(plane, width, height);
  std::vector<std::uint8_t> grey(kImagePixels, 0);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int row = (kImageSide - content) / 2 + (content - height) / 2 + y;
      const int column = (kImageSide - content) / 2 + (content - width) / 2 + x;
      grey[std::size_t(row) * kImageSide + column] =
          static_cast<std::uint8_t>(std::lround(255 * std::clamp(scaled.at(x, y), 0.0F, 1.0F)));
    }
  }
  return grey;
}

}  // namespace

absl::StatusOr<PreparedPicture> Prepare(const Picture& picture, const Preprocessing& preprocessing,
                                        const PrepareOptions& options) {
  const int content = preprocessing.content_size;
  const int padding = preprocessing.padding;
  // Each value is checked on its own first, because a sum of arbitrary numbers from the network
  // could overflow.
  if (content < 1 || content > kImageSide || padding < 0 || padding > kImageSide ||
      content + 2 * padding != kImageSide) {
    return absl::InvalidArgumentError(absl::StrCat("the model wants content of ", content, " with ",
                                                   padding, " around it, which does not make ",
                                                   kImageSide));
  }
  if (picture.width < 1 || picture.height < 1 ||
      picture.rgba.size() != std::size_t(picture.width) * picture.height * 4) {
    return absl::InvalidArgumentError(absl::StrCat("the picture is said to be ", picture.width, "x",
                                                   picture.height, " and has ", picture.rgba.size(),
                                                   " values, not 4 for each pixel"));
  }
  if (options.fit == Fit::kMnist) return PrepareAsMnist(picture, preprocessing, options);
  return PreparedPicture{Finding::kDigit, "", PrepareAsIs(picture, preprocessing, options)};
}

}  // namespace hellocnn::client
