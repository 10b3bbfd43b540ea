// A picture to draw digits on, in shares of full brightness.
#ifndef HELLOCNN_BENCHMARKS_PICTURES_CANVAS_H_
#define HELLOCNN_BENCHMARKS_PICTURES_CANVAS_H_

#include <array>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "hellocnn/client/picture.h"

namespace hellocnn {

using Colour = std::array<float, 3>;  // red, green, blue; 0 to 1

// Returns a number in [from, to), the same with any standard library.
double Uniform(std::mt19937& random, double from, double to);

// How the 28x28 digit lies on the canvas.
struct Placement {
  double left = 0;  // of the digit's 28 columns, in pixels of the canvas
  double top = 0;
  double size = 0;     // of the 28 columns, in pixels of the canvas
  double degrees = 0;  // clockwise, around the middle
  double pen = 0;      // < 0: strokes become thinner, > 0: thicker; in pixels of the digit
};

class Canvas {
 public:
  Canvas(int width, int height, const Colour& paper);

  int width() const { return width_; }
  int height() const { return height_; }
  Colour& at(int x, int y) { return pixels_[std::size_t(y) * width_ + x]; }

  void Draw(std::span<const std::uint8_t> digit, const Placement& placement, const Colour& ink);
  // Fills a rectangle, which may reach beyond the canvas.
  void Fill(int left, int top, int right, int bottom, const Colour& colour);
  // Multiplies each pixel by light(x / width, y / height).
  template <class Light>
  void Shade(Light light) {
    for (int y = 0; y < height_; ++y) {
      for (int x = 0; x < width_; ++x) {
        const auto factor = static_cast<float>(light(double(x) / width_, double(y) / height_));
        for (float& value : at(x, y)) value *= factor;
      }
    }
  }
  void AddNoise(double deviation, std::mt19937& random);
  // Averages each pixel with its neighbours, `times` times: a camera that is out of focus.
  void Defocus(int times);

  // Returns the picture with 8 bits for a value, opaque.
  client::Picture ToPicture() const;
  // Returns the ink as alpha: a picture of one colour that is transparent where there is no ink.
  client::Picture ToTransparent(const Colour& ink) const;

 private:
  int width_;
  int height_;
  std::vector<Colour> pixels_;  // [height, width]
};

}  // namespace hellocnn

#endif  // HELLOCNN_BENCHMARKS_PICTURES_CANVAS_H_
