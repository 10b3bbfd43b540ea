#include "benchmarks/pictures/presentations.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "benchmarks/pictures/canvas.h"
#include "benchmarks/pictures/jpeg.h"

namespace hellocnn {
namespace {

using client::Picture;

constexpr int kSide = 280;
constexpr Colour kBlack = {0, 0, 0};
constexpr Colour kWhite = {1, 1, 1};

Colour Grey(double level) {
  const auto value = static_cast<float>(level);
  return {value, value, value};
}

// Returns the box of the pixels with ink: left, top, right, bottom, the last two exclusive.
std::array<int, 4> InkBox(Digit digit) {
  std::array<int, 4> box{28, 28, 0, 0};
  for (int i = 0; i < 28 * 28; ++i) {
    if (digit[i] == 0) continue;
    box = {std::min(box[0], i % 28), std::min(box[1], i / 28), std::max(box[2], i % 28 + 1),
           std::max(box[3], i / 28 + 1)};
  }
  return box;
}

Picture LightOnDark(Digit digit, const Placement& placement) {
  Canvas canvas(kSide, kSide, kBlack);
  canvas.Draw(digit, placement, kWhite);
  return canvas.ToPicture();
}

Picture Shifted(Digit digit, std::mt19937& random) {
  const int sign_x = random() % 2 == 0 ? 1 : -1;
  const int sign_y = random() % 2 == 0 ? 1 : -1;
  return LightOnDark(digit, {sign_x * 40.0, sign_y * 30.0, 280});
}

Picture Cropped(Digit digit, std::mt19937& /*random*/) {
  const auto [left, top, right, bottom] = InkBox(digit);
  Canvas canvas((right - left) * 10, (bottom - top) * 10, kBlack);
  canvas.Draw(digit, {-10.0 * left, -10.0 * top, 280}, kWhite);
  return canvas.ToPicture();
}

Picture HalfInCorner(Digit digit, std::mt19937& random) {
  return LightOnDark(digit, {random() % 2 * 140.0, random() % 2 * 140.0, 140});
}

// Returns where a digit lies that takes `share` of the height of a canvas, somewhere on it.
Placement Somewhere(const Canvas& canvas, double share, std::mt19937& random) {
  const double size = canvas.height() * share * 28 / 20;
  return {Uniform(random, 0, canvas.width() - size), Uniform(random, 0, canvas.height() - size),
          size};
}

Picture OnPaper(Digit digit, std::mt19937& random) {
  Canvas canvas(480, 360, kWhite);
  canvas.Draw(digit, Somewhere(canvas, 1 / 3.0, random), kBlack);
  return canvas.ToPicture();
}

// Draws a digit in pencil or ink on paper, and lights it unevenly.
Canvas Photo(Digit digit, std::mt19937& random, double hardness) {
  Canvas canvas(480, 360, Grey(Uniform(random, 0.75, 0.95)));
  Placement placement = Somewhere(canvas, Uniform(random, 0.28, 0.5), random);
  placement.degrees = Uniform(random, -6, 6);
  canvas.Draw(digit, placement, Grey(Uniform(random, 0.1, 0.3)));
  const double angle = Uniform(random, 0, 6.28);
  const double depth = Uniform(random, 0.35, 0.6);
  const double offset = Uniform(random, -0.25, 0.25);
  canvas.Shade([&](double x, double y) {
    const double along = (x - 0.5) * std::cos(angle) + (y - 0.5) * std::sin(angle) - offset;
    return (1 - depth / (1 + std::exp(-along * hardness))) * (1 - 0.2 * y);
  });
  return canvas;
}

Picture PhoneWith(Digit digit, std::mt19937& random, double hardness, double noise) {
  Canvas canvas = Photo(digit, random, hardness);
  canvas.Defocus(1);
  canvas.AddNoise(noise, random);
  return canvas.ToPicture();
}

Picture InJpeg(Digit digit, std::mt19937& random) {
  const int quality = 20 + static_cast<int>(random() % 40);
  return ThroughJpeg(PhoneWith(digit, random, 6, 0.03), quality);
}

Picture Rotated(Digit digit, std::mt19937& random) {
  Canvas canvas(280, 280, kBlack);
  canvas.Draw(digit, {0, 0, 280, Uniform(random, -12, 12)}, kWhite);
  return canvas.ToPicture();
}

Picture WithPen(Digit digit, std::mt19937& random, double pen) {
  Canvas canvas(360, 360, kWhite);
  Placement placement = Somewhere(canvas, 0.5, random);
  placement.pen = pen;
  canvas.Draw(digit, placement, Grey(0.1));
  return canvas.ToPicture();
}

Picture Coloured(Digit digit, std::mt19937& random) {
  // Pairs of paper and ink. The luminance of the last pairs is nearly the same.
  constexpr std::pair<Colour, Colour> kPairs[] = {
      {{1.0F, 0.95F, 0.6F}, {0.1F, 0.2F, 0.7F}}, {{0.9F, 0.5F, 0.6F}, {0.1F, 0.1F, 0.1F}},
      {{0.1F, 0.3F, 0.2F}, {0.95F, 0.9F, 0.8F}}, {{0.1F, 0.1F, 0.4F}, {1.0F, 1.0F, 0.2F}},
      {{1.0F, 1.0F, 1.0F}, {1.0F, 0.95F, 0.2F}}, {{0.3F, 0.62F, 0.3F}, {0.9F, 0.3F, 0.35F}}};
  const auto& [paper, ink] = kPairs[random() % 6];
  Canvas canvas(300, 400, paper);
  canvas.Draw(digit, Somewhere(canvas, 0.4, random), ink);
  canvas.AddNoise(0.01, random);
  return canvas.ToPicture();
}

Picture FaintOnGrey(Digit digit, std::mt19937& random) {
  const double paper = Uniform(random, 0.3, 0.7);
  const double ink = paper + (random() % 2 == 0 ? 0.1 : -0.1);
  Canvas canvas(400, 300, Grey(paper));
  canvas.Draw(digit, Somewhere(canvas, 0.4, random), Grey(ink));
  canvas.AddNoise(0.008, random);
  return canvas.ToPicture();
}

Picture Framed(Digit digit, std::mt19937& random) {
  Canvas canvas(420, 420, Grey(0.2));
  const int frame = static_cast<int>(Uniform(random, 4, 40));
  canvas.Fill(frame, frame, 420 - frame, 420 - frame, Grey(0.9));
  const double size = Uniform(random, 180, 300);
  canvas.Draw(digit, {(420 - size) / 2, (420 - size) / 2, size}, Grey(0.15));
  canvas.AddNoise(0.02, random);
  return canvas.ToPicture();
}

// Paper on a darker desk, which shows at one or two sides.
Picture OnDesk(Digit digit, std::mt19937& random) {
  Canvas canvas(480, 360, Grey(Uniform(random, 0.05, 0.5)));
  const int left = static_cast<int>(Uniform(random, 20, 90));
  const int top = random() % 2 == 0 ? 0 : static_cast<int>(Uniform(random, 20, 60));
  canvas.Fill(left, top, 480, 360, Grey(0.9));
  const double size = Uniform(random, 150, 250);
  canvas.Draw(digit, {left + 20 + Uniform(random, 0, 100), top + Uniform(random, 0, 40), size},
              Grey(0.25));
  canvas.Defocus(1);
  canvas.AddNoise(0.02, random);
  return canvas.ToPicture();
}

Picture Lined(Digit digit, std::mt19937& random) {
  Canvas canvas(400, 400, Grey(0.95));
  const int distance = static_cast<int>(Uniform(random, 30, 90));
  for (int y = distance / 2; y < 400; y += distance) canvas.Fill(0, y, 400, y + 2, Grey(0.72));
  canvas.Draw(digit, Somewhere(canvas, 0.5, random), Grey(0.15));
  return canvas.ToPicture();
}

Picture Specks(Digit digit, std::mt19937& random) {
  Canvas canvas(300, 300, kWhite);
  canvas.Draw(digit, Somewhere(canvas, 0.5, random), kBlack);
  for (int i = 0; i < 40; ++i) {
    const int x = static_cast<int>(random() % 300);
    const int y = static_cast<int>(random() % 300);
    const int size = 1 + static_cast<int>(random() % 4);
    canvas.Fill(x, y, x + size, y + size, kBlack);
  }
  return canvas.ToPicture();
}

Picture Chalk(Digit digit, std::mt19937& random) {
  Canvas canvas(480, 360, Grey(0.3));
  canvas.Draw(digit, Somewhere(canvas, 0.45, random), Grey(0.85));
  const double angle = Uniform(random, 0, 6.28);
  canvas.Shade([&](double x, double y) {
    return 0.75 + 0.5 * ((x - 0.5) * std::cos(angle) + (y - 0.5) * std::sin(angle));
  });
  canvas.AddNoise(0.03, random);
  return canvas.ToPicture();
}

Picture Transparent(Digit digit, std::mt19937& random) {
  Canvas canvas(200, 200, kBlack);
  canvas.Draw(digit, Somewhere(canvas, 0.6, random), kWhite);
  return canvas.ToTransparent(random() % 2 == 0 ? kBlack : kWhite);
}

Picture Small(Digit digit, std::mt19937& random) {
  const bool dark = random() % 2 == 0;
  Canvas canvas(28, 28, dark ? kWhite : kBlack);
  canvas.Draw(digit, {0, 0, 28}, dark ? kBlack : kWhite);
  return canvas.ToPicture();
}

Picture CroppedDark(Digit digit, std::mt19937& random) {
  const auto [left, top, right, bottom] = InkBox(digit);
  const double scale = Uniform(random, 1, 12);
  Canvas canvas(static_cast<int>((right - left) * scale), static_cast<int>((bottom - top) * scale),
                kWhite);
  canvas.Draw(digit, {-scale * left, -scale * top, scale * 28}, Grey(0.1));
  return canvas.ToPicture();
}

// A digit of a twelfth to a twentieth of the height, as in a photo of a whole page.
Picture InLargePhoto(Digit digit, std::mt19937& random) {
  Canvas canvas(1000, 750, Grey(0.9));
  canvas.Draw(digit, Somewhere(canvas, Uniform(random, 0.05, 0.085), random), Grey(0.2));
  canvas.Shade([](double x, double y) { return 1 - 0.3 * x - 0.1 * y; });
  canvas.AddNoise(0.01, random);
  return canvas.ToPicture();
}

// Draws two digits of nearly the same size with a gap between their ink, which is a share of their
// height, beside each other or one above the other.
Picture TwoDigits(Digit first, Digit second, std::mt19937& random, bool stacked) {
  constexpr double kScale = 5;
  Canvas canvas(400, 400, kWhite);
  const std::array<int, 4> a = InkBox(first);
  const std::array<int, 4> b = InkBox(second);
  const double gap = 20 * Uniform(random, 0.1, 0.5);
  const double left = 70 + Uniform(random, 0, 40);
  const double top = 40 + Uniform(random, 0, 40);
  const double across = stacked ? Uniform(random, -2, 2) : a[2] - b[0] + gap;
  const double down = stacked ? a[3] - b[1] + gap : Uniform(random, -2, 2);
  canvas.Draw(first, {left, top, 28 * kScale}, Grey(0.1));
  canvas.Draw(second, {left + across * kScale, top + down * kScale, 28 * kScale}, Grey(0.1));
  return canvas.ToPicture();
}

}  // namespace

std::vector<PicturePresentation> PicturePresentations() {
  const auto one = [](Picture (*present)(Digit, std::mt19937&)) {
    return [present](Digit digit, Digit, std::mt19937& random) { return present(digit, random); };
  };
  const auto at = [](Placement placement) {
    return [placement](Digit digit, Digit, std::mt19937&) { return LightOnDark(digit, placement); };
  };
  const auto photo = [](double hardness, double noise) {
    return [=](Digit digit, Digit, std::mt19937& random) {
      return PhoneWith(digit, random, hardness, noise);
    };
  };
  const auto pen = [](double width) {
    return [=](Digit digit, Digit, std::mt19937& random) { return WithPen(digit, random, width); };
  };
  const auto two = [](bool stacked) {
    return [stacked](Digit digit, Digit next, std::mt19937& random) {
      return TwoDigits(digit, next, random, stacked);
    };
  };
  return {
      {"MNIST's picture, 280x280", 0.98, at({0, 0, 280})},
      {"shifted by 4 and 3 of 28 pixels", 0.975, one(Shifted)},
      {"cropped to its ink", 0.975, one(Cropped)},
      {"half the size, centred", 0.975, at({70, 70, 140})},
      {"half the size, in a corner", 0.975, one(HalfInCorner)},
      {"dark on white paper, a third of the height", 0.95, one(OnPaper)},
      {"phone photo: shadow, noise", 0.90, photo(8, 0.04)},
      {"phone photo: hard shadow", 0.95, photo(80, 0.02)},
      {"phone photo: much noise", 0.95, photo(4, 0.1)},
      {"phone photo: small JPEG file", 0.96, one(InJpeg)},
      {"rotated by up to 12 degrees", 0.95, one(Rotated)},
      {"a thin pen", 0.96, pen(-0.45)},
      {"a thick pen", 0.93, pen(0.8)},
      {"coloured paper and ink", 0.96, one(Coloured)},
      {"little contrast", 0.96, one(FaintOnGrey)},
      {"a frame around a scan", 0.95, one(Framed)},
      {"paper on a dark desk", 0.95, one(OnDesk)},
      {"lined paper", 0.97, one(Lined)},
      {"specks", 0.96, one(Specks)},
      {"chalk on a board, uneven light", 0.96, one(Chalk)},
      {"ink on a transparent background", 0.975, one(Transparent)},
      {"28x28, of either polarity", 0.975, one(Small)},
      {"dark, cropped to the ink, any size", 0.96, one(CroppedDark)},
      {"small digit in a large photo", 0.96, one(InLargePhoto)},
      {"two digits beside each other", 0.95, two(false), true},
      {"two digits, one above the other", 0.98, two(true), true},
  };
}

}  // namespace hellocnn
