#include "benchmarks/pictures/canvas.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace hellocnn {
namespace {

constexpr int kSide = 28;

// Returns the ink at a place in pixels of the digit, 0 to 1, between the centres of pixels.
double InkAt(std::span<const std::uint8_t> digit, double x, double y) {
  const auto pixel = [&](int column, int row) {
    if (column < 0 || row < 0 || column >= kSide || row >= kSide) return 0.0;
    return digit[std::size_t(row) * kSide + column] / 255.0;
  };
  const double left = std::floor(x - 0.5);
  const double top = std::floor(y - 0.5);
  const double right_share = x - 0.5 - left;
  const double low_share = y - 0.5 - top;
  const int column = static_cast<int>(left);
  const int row = static_cast<int>(top);
  return (pixel(column, row) * (1 - right_share) + pixel(column + 1, row) * right_share) *
             (1 - low_share) +
         (pixel(column, row + 1) * (1 - right_share) + pixel(column + 1, row + 1) * right_share) *
             low_share;
}

// Returns the ink of a pen that is wider by `pen` on each side, or thinner if it is negative.
double InkOfPen(std::span<const std::uint8_t> digit, double x, double y, double pen) {
  double ink = InkAt(digit, x, y);
  if (pen == 0) return ink;
  for (int direction = 0; direction < 8; ++direction) {
    const double angle = direction * std::numbers::pi / 4;
    const double near =
        InkAt(digit, x + std::cos(angle) * std::abs(pen), y + std::sin(angle) * std::abs(pen));
    ink = pen > 0 ? std::max(ink, near) : std::min(ink, near);
  }
  return ink;
}

}  // namespace

double Uniform(std::mt19937& random, double from, double to) {
  return from + (to - from) * (static_cast<double>(random()) / 4294967296.0);
}

Canvas::Canvas(int width, int height, const Colour& paper)
    : width_(width), height_(height), pixels_(std::size_t(width) * height, paper) {}

void Canvas::Draw(std::span<const std::uint8_t> digit, const Placement& placement,
                  const Colour& ink) {
  const double scale = kSide / placement.size;
  const double angle = placement.degrees * std::numbers::pi / 180;
  // Several samples a pixel where the digit becomes smaller.
  const int samples = std::max(1, static_cast<int>(std::ceil(scale * 2)));
  // Beyond this distance from the middle of the digit, which may be turned, there is no ink.
  const double reach = placement.size * 0.8;
  const double middle_x = placement.left + placement.size / 2;
  const double middle_y = placement.top + placement.size / 2;
  for (int y = 0; y < height_; ++y) {
    if (std::abs(y - middle_y) > reach) continue;
    for (int x = 0; x < width_; ++x) {
      if (std::abs(x - middle_x) > reach) continue;
      double share = 0;
      for (int i = 0; i < samples * samples; ++i) {
        const double u = (x + (i % samples + 0.5) / samples - placement.left) * scale - kSide / 2.0;
        const double v = (y + (i / samples + 0.5) / samples - placement.top) * scale - kSide / 2.0;
        share += InkOfPen(digit, u * std::cos(angle) + v * std::sin(angle) + kSide / 2.0,
                          v * std::cos(angle) - u * std::sin(angle) + kSide / 2.0, placement.pen);
      }
      share /= samples * samples;
      for (int c = 0; c < 3; ++c) at(x, y)[c] += static_cast<float>(share * (ink[c] - at(x, y)[c]));
    }
  }
}

void Canvas::Fill(int left, int top, int right, int bottom, const Colour& colour) {
  for (int y = std::max(top, 0); y < std::min(bottom, height_); ++y) {
    for (int x = std::max(left, 0); x < std::min(right, width_); ++x) at(x, y) = colour;
  }
}

void Canvas::AddNoise(double deviation, std::mt19937& random) {
  for (Colour& pixel : pixels_) {
    for (float& value : pixel) {
      double sum = -6;  // the sum of 12 uniform numbers is nearly normal, with deviation 1
      for (int i = 0; i < 12; ++i) sum += Uniform(random, 0, 1);
      value += static_cast<float>(sum * deviation);
    }
  }
}

void Canvas::Defocus(int times) {
  for (int i = 0; i < times; ++i) {
    const std::vector<Colour> sharp = pixels_;
    for (int y = 1; y + 1 < height_; ++y) {
      for (int x = 1; x + 1 < width_; ++x) {
        for (int c = 0; c < 3; ++c) {
          float sum = 0;
          for (int near = 0; near < 9; ++near)
            sum += sharp[std::size_t(y + near / 3 - 1) * width_ + x + near % 3 - 1][c];
          at(x, y)[c] = sum / 9;
        }
      }
    }
  }
}

client::Picture Canvas::ToPicture() const {
  client::Picture picture{width_, height_, {}};
  picture.rgba.reserve(pixels_.size() * 4);
  for (const Colour& pixel : pixels_) {
    for (const float value : pixel) {
      const long level = std::lround(std::clamp(value, 0.0F, 1.0F) * 255);
      picture.rgba.push_back(static_cast<std::uint16_t>(level * 257));
    }
    picture.rgba.push_back(65535);
  }
  return picture;
}

client::Picture Canvas::ToTransparent(const Colour& ink) const {
  client::Picture picture = ToPicture();
  for (std::size_t i = 0; i < pixels_.size(); ++i) {
    picture.rgba[4 * i + 3] = picture.rgba[4 * i];
    for (int c = 0; c < 3; ++c)
      picture.rgba[4 * i + c] = static_cast<std::uint16_t>(std::lround(ink[c] * 65535));
  }
  return picture;
}

}  // namespace hellocnn
