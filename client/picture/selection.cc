#include "client/picture/selection.h"

#include <algorithm>
#include <cstddef>

namespace hellocnn::client::picture {
namespace {

// The least longer side of a frame, as a share of the picture's shorter side.
constexpr double kLeastFrame = 0.1;
// Parts with less than this share of the greatest part's area are specks.
constexpr double kSpeck = 0.02;
// How much less a part counts that touches the border.
constexpr double kOnBorder = 0.3;
// A part that is farther away than this share of the digit's longer side does not belong to it.
constexpr double kFar = 0.35;
// A part with at least this share of the greatest part's height may be a digit of its own.
constexpr double kOwnDigit = 0.55;
// The least area of a digit, as a share of that of another: close beside it, and elsewhere.
constexpr double kOwnArea = 0.35;
constexpr double kLeastArea = 0.12;
// The least gap between two digits beside each other, one above the other, and elsewhere; shares of
// the higher one.
constexpr double kGap = 0.08;
constexpr double kGapAbove = 0.04;
// Two digits, one above the other, are at least this many times as high as they are wide.
constexpr double kTall = 1.7;
constexpr double kWideGap = 0.25;
// One digit is at most this many times as wide as it is high.
constexpr double kWidest = 1.7;

Box Union(const Box& a, const Box& b) {
  return {std::min(a.left, b.left), std::min(a.top, b.top), std::max(a.right, b.right),
          std::max(a.bottom, b.bottom)};
}

// Returns the gap between two ranges; it is negative if they overlap.
int Gap(int begin_a, int end_a, int begin_b, int end_b) {
  return std::max(begin_a, begin_b) - std::min(end_a, end_b);
}

int GapX(const Box& a, const Box& b) { return Gap(a.left, a.right, b.left, b.right); }
int GapY(const Box& a, const Box& b) { return Gap(a.top, a.bottom, b.top, b.bottom); }
int Longer(const Box& box) { return std::max(box.width(), box.height()); }

bool Contains(const Box& outer, const Box& inner) {
  return outer.left < inner.left && outer.top < inner.top && outer.right > inner.right &&
         outer.bottom > inner.bottom;
}

// Returns true if a part is large enough to be a digit of its own beside the greatest part.
bool MayBeDigit(const Component& part, const Component& greatest) {
  return part.box.height() >= kOwnDigit * greatest.box.height() &&
         static_cast<double>(part.area) >= kLeastArea * static_cast<double>(greatest.area);
}

// Returns true for two parts that stand beside each other as digits of a number do, or one above
// the other, or far apart. Parts of one digit that are broken apart are closer, or differ more.
bool AreTwoDigits(const Component& a, const Component& b) {
  const int higher = std::max(a.box.height(), b.box.height());
  const int lower = std::min(a.box.height(), b.box.height());
  const double areas =
      static_cast<double>(std::min(a.area, b.area)) / static_cast<double>(std::max(a.area, b.area));
  if (lower < kOwnDigit * higher || areas < kLeastArea) return false;
  const int gap_x = GapX(a.box, b.box);
  const int gap_y = GapY(a.box, b.box);
  const int narrower = std::min(a.box.width(), b.box.width());
  // The parts of one digit that is broken, such as a six below its stroke, make no tall box.
  const Box both = Union(a.box, b.box);
  const bool is_above =
      gap_y > kGapAbove * higher && gap_x < -0.5 * narrower && both.height() > kTall * both.width();
  if (is_above || gap_x > kWideGap * higher || gap_y > kWideGap * higher) return true;
  return gap_x > kGap * higher && gap_y < -0.5 * lower && areas >= kOwnArea;
}

}  // namespace

std::vector<bool> FindFrames(const Components& ink, int width, int height) {
  const double shorter = std::min(width, height);
  // Returns true if no other part is large enough to be what the frame is around.
  const auto is_alone = [&](const Component& part) {
    return std::none_of(ink.parts.begin(), ink.parts.end(), [&](const Component& other) {
      return &other != &part && other.border == 0 && Longer(other.box) > 0.12 * shorter &&
             Longer(other.box) < 0.95 * Longer(part.box);
    });
  };
  const auto surrounds = [&](const Component& part) {
    return std::any_of(ink.parts.begin(), ink.parts.end(), [&](const Component& other) {
      return Contains(part.box, other.box) && Longer(other.box) > 0.25 * Longer(part.box);
    });
  };
  std::vector<bool> frames(ink.parts.size(), false);
  for (std::size_t i = 0; i < ink.parts.size(); ++i) {
    const Component& part = ink.parts[i];
    // There may be thousands of specks, which must not be compared with each other.
    if (Longer(part.box) < kLeastFrame * shorter) continue;
    const bool wide = part.box.width() > 0.9 * width;
    const bool high = part.box.height() > 0.9 * height;
    const bool is_line =
        (wide && part.box.height() < 0.05 * height) || (high && part.box.width() < 0.05 * width);
    // A band along the border, and no ink that reaches from it into the picture.
    const bool at_edge =
        static_cast<double>(part.border) > 0.4 * shorter &&
        static_cast<double>(part.area) < 0.25 * shorter * static_cast<double>(part.border);
    frames[i] = (is_line || at_edge || surrounds(part)) && !is_alone(part);
  }
  return frames;
}

Selection SelectDigit(const Components& ink) {
  Selection selection;
  selection.chosen.assign(ink.parts.size(), false);
  if (ink.parts.empty()) return selection;
  // What touches the border is rather a shadow or something else that lies about.
  const auto weight = [](const Component& part) {
    return static_cast<double>(part.area) * (part.border > 0 ? kOnBorder : 1);
  };
  const auto greatest = std::max_element(
      ink.parts.begin(), ink.parts.end(),
      [&](const Component& a, const Component& b) { return weight(a) < weight(b); });
  const auto least = static_cast<double>(greatest->area) * kSpeck;
  selection.chosen[greatest - ink.parts.begin()] = true;
  selection.box = greatest->box;
  for (bool grown = true; grown;) {
    grown = false;
    for (std::size_t i = 0; i < ink.parts.size(); ++i) {
      const Component& part = ink.parts[i];
      if (selection.chosen[i] || static_cast<double>(part.area) < least) continue;
      const double far = kFar * Longer(selection.box);
      const bool near =
          GapX(part.box, selection.box) <= far && GapY(part.box, selection.box) <= far;
      if (!near && !MayBeDigit(part, *greatest)) continue;
      selection.chosen[i] = true;
      selection.box = Union(selection.box, part.box);
      grown = true;
    }
  }
  return selection;
}

bool AreSeveralDigits(const Components& ink, const Box& box) {
  if (ink.parts.empty()) return false;
  const Component& greatest =
      *std::max_element(ink.parts.begin(), ink.parts.end(),
                        [](const Component& a, const Component& b) { return a.area < b.area; });
  std::vector<Component> digits;  // without specks, of which any two are as alike as two digits
  for (const Component& part : ink.parts) {
    if (MayBeDigit(part, greatest)) digits.push_back(part);
  }
  for (std::size_t a = 0; a < digits.size(); ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      if (AreTwoDigits(digits[a], digits[b])) return true;
    }
  }
  return box.width() > kWidest * box.height();
}

}  // namespace hellocnn::client::picture
