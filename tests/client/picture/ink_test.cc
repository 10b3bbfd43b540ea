#include "client/picture/ink.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace hellocnn::client::picture {
namespace {

// Fills a rectangle.
void Fill(Plane& plane, const Box& box, float value) {
  for (int y = box.top; y < box.bottom; ++y) {
    for (int x = box.left; x < box.right; ++x) plane.at(x, y) = value;
  }
}

TEST(FindInk, LeavesNothingOfWhatItRemoves) {
  // Thick ink covers most of the picture, so that the background is judged by the lighter paper.
  Plane grey(100, 100);
  for (int y = 0; y < 100; ++y) {
    for (int x = 0; x < 100; ++x) grey.at(x, y) = 0.003F * static_cast<float>(y);
  }
  Fill(grey, {4, 4, 96, 88}, 1);
  Fill(grey, {30, 95, 33, 98}, 1);  // a speck, which is removed
  const Ink ink = FindInk(grey, Polarity::kLightInk, 0);
  EXPECT_EQ(ink.level.at(50, 30), 1);
  const Plane below = Resize(ink.level, {0, 94, 100, 100}, 100, 6);
  EXPECT_EQ(*std::max_element(below.values.begin(), below.values.end()), 0);
}

}  // namespace
}  // namespace hellocnn::client::picture
