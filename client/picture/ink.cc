#include "client/picture/ink.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "client/picture/components.h"
#include "client/picture/selection.h"
#include "client/picture/threshold.h"

namespace hellocnn::client::picture {
namespace {

// The widest stroke, and the most ink in the box around a digit that is not as narrow as a one.
constexpr double kWidestPen = 0.36;  // of the longer side of the box
constexpr double kMostInk = 0.75;    // of the area of the box
constexpr double kNarrow = 0.45;     // width by height

// Ink that is fainter than this share of the contrast, or than this multiple of the noise, is taken
// for background.
constexpr float kFaintInk = 0.08F;
constexpr float kNoiseFactor = 3;
// Ink that connects two parts of a digit has at least this share of the contrast.
constexpr float kConnectingInk = 0.25F;
constexpr int kLeastSideForNoise = 64;

// How much each finding counts as doubt. The numbers were chosen with hellocnn-picture-bench.
constexpr double kInkOnBorder = 2;  // for ink all around the border
constexpr double kInkOnNarrowBorder = 0.5;
constexpr double kFrameOnBorder = 0.3;  // for a frame all around
constexpr double kSeveralDigits = 0.3;
constexpr double kBlot = 0.5;
constexpr double kNoInk = 2;

// Returns the background of `light`, in which ink is lighter. Unless it is the same everywhere, an
// opening finds it, which removes what is lighter and narrower than its window.
Plane FindBackground(const Plane& light, double share) {
  if (share <= 0) return Plane(light.width, light.height, Quantile(light.values, 0.2));
  const int radius =
      std::max(1, static_cast<int>(std::lround(share * std::max(light.width, light.height) / 2)));
  return Dilate(Erode(light, radius), radius);
}

// Returns a plane that is 1 at the pixels of the marked parts, and 0 elsewhere.
Plane MaskOf(const Components& parts, const std::vector<bool>& marked, int width, int height) {
  Plane mask(width, height);
  for (std::size_t i = 0; i < mask.values.size(); ++i) {
    if (parts.labels[i] >= 0 && marked[parts.labels[i]]) mask.values[i] = 1;
  }
  return mask;
}

// Removes frames, in a few rounds: what is fainter than a frame shows once the frame is gone.
// Returns the number of pixels of frames on the border. `split` and `parts` describe what is left.
std::int64_t RemoveFrames(int margin, Plane& level, Split& split, Components& parts) {
  std::int64_t on_border = 0;
  for (int round = 0;; ++round) {
    split = SplitLevels(level);
    parts = FindComponents(level, split.threshold);
    const std::vector<bool> frames = FindFrames(parts, level.width, level.height);
    if (round == 3 || std::find(frames.begin(), frames.end(), true) == frames.end()) break;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      if (frames[i]) on_border += parts.parts[i].border;
    }
    const Plane mask = Dilate(MaskOf(parts, frames, level.width, level.height), margin);
    for (std::size_t i = 0; i < level.values.size(); ++i) {
      if (mask.values[i] > 0) level.values[i] = 0;
    }
  }
  return on_border;
}

// Returns true for ink that no pen made: it fills its box, or is wider than any stroke.
bool IsBlot(const Plane& mask, const Box& box) {
  if (box.width() <= 0) return false;
  // Around the box is background, so that its sides are edges of the ink.
  Plane ink(box.width() + 2, box.height() + 2);
  double area = 0;
  for (int y = box.top; y < box.bottom; ++y) {
    for (int x = box.left; x < box.right; ++x) {
      ink.at(x - box.left + 1, y - box.top + 1) = mask.at(x, y);
      area += mask.at(x, y);
    }
  }
  if (box.width() > kNarrow * box.height() && area > kMostInk * box.width() * box.height())
    return true;
  const double longer = std::max(box.width(), box.height());
  const Plane core = Erode(ink, static_cast<int>(kWidestPen * longer / 2));
  return std::find(core.values.begin(), core.values.end(), 1.0F) != core.values.end();
}

// Makes everything paper that is not ink of the chosen parts or beside it. Returns the box around
// what is left.
Box KeepDigit(const Plane& mask, const Box& chosen, float least, float paper, Plane& level) {
  const Plane around = Dilate(mask, 1 + std::max(chosen.width(), chosen.height()) / 30);
  Box box{level.width, level.height, 0, 0};
  for (int y = 0; y < level.height; ++y) {
    for (int x = 0; x < level.width; ++x) {
      if (around.at(x, y) == 0 || level.at(x, y) <= least) {
        level.at(x, y) = paper;
        continue;
      }
      box = {std::min(box.left, x), std::min(box.top, y), std::max(box.right, x + 1),
             std::max(box.bottom, y + 1)};
    }
  }
  return box;
}

// Returns the median of the levels up to `threshold`.
float LevelOfPaper(const Plane& level, float threshold) {
  std::vector<float> paper;
  for (const float value : level.values) {
    if (value <= threshold) paper.push_back(value);
  }
  return Quantile(std::move(paper), 0.5);
}

// Scales the ink so that paper is 0 and most of a stroke is 1, as in MNIST.
void Stretch(float paper, float threshold, Plane& level) {
  std::vector<float> strong;
  for (const float value : level.values) {
    if (value > threshold) strong.push_back(value);
  }
  const float full = std::max(1e-6F, Quantile(std::move(strong), 0.6) - paper);
  for (float& value : level.values) value = std::clamp((value - paper) / full, 0.0F, 1.0F);
}

}  // namespace

Ink FindInk(const Plane& grey, Polarity polarity, double share) {
  const int radius = std::max(grey.width, grey.height) / 256;
  Plane light = Blur(grey, radius);
  if (polarity == Polarity::kDarkInk) {
    for (float& value : light.values) value = 1 - value;
  }
  const Plane background = FindBackground(light, share);
  Ink ink;
  ink.level = light;
  for (std::size_t i = 0; i < light.values.size(); ++i) {
    ink.level.values[i] -= background.values[i];
    // A shadow takes the same share of the light from paper and from ink.
    if (polarity == Polarity::kDarkInk && share > 0)
      ink.level.values[i] /= std::max(0.05F, 1 - background.values[i]);
  }
  // In a small picture, most neighbours differ because ink begins between them.
  if (std::max(grey.width, grey.height) >= kLeastSideForNoise)
    ink.noise = EstimateNoise(ink.level, 2 * radius + 1);

  Split split;
  Components parts;
  const std::int64_t frames = RemoveFrames(radius + 1, ink.level, split, parts);
  ink.contrast = split.high - split.low;
  const Selection selection = SelectDigit(parts);
  const Plane mask = MaskOf(parts, selection.chosen, grey.width, grey.height);
  std::int64_t border = 0;
  for (const Component& part : parts.parts) border += part.border;
  const double ring = std::max(1, 2 * (grey.width + grey.height) - 4);
  // A narrow picture is a one that is cropped to its ink, which fills the border.
  const double weight = grey.width < kNarrow * grey.height ? kInkOnNarrowBorder : kInkOnBorder;
  ink.doubt = weight * static_cast<double>(border) / ring;
  ink.doubt += kFrameOnBorder * static_cast<double>(frames) / ring;
  // Edges that the background has taken from the ink.
  ink.doubt +=
      SumOfEdges(background, selection.box) / std::max(1e-9, SumOfEdges(light, selection.box));
  ink.doubt += 1 - split.separability;
  if (IsBlot(mask, selection.box)) ink.doubt += kBlot;
  if (ink.contrast <= 0) {
    ink.doubt += kNoInk;
    return ink;
  }

  const float paper = LevelOfPaper(ink.level, split.threshold);
  const float faint = paper + std::max(kFaintInk * ink.contrast, kNoiseFactor * ink.noise);
  const float least = std::min(faint, split.threshold);
  ink.box = KeepDigit(mask, selection.box, least, paper, ink.level);
  // Faint ink may connect what looks like two parts.
  const float connecting =
      std::min(std::max(least, paper + kConnectingInk * ink.contrast), split.threshold);
  ink.several = AreSeveralDigits(FindComponents(ink.level, connecting), ink.box);
  if (ink.several) ink.doubt += kSeveralDigits;
  Stretch(paper, split.threshold, ink.level);
  return ink;
}

}  // namespace hellocnn::client::picture
