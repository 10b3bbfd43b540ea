// One value for each pixel of a picture, and the filters that the preparation uses.
#ifndef HELLOCNN_CLIENT_PICTURE_PLANE_H_
#define HELLOCNN_CLIENT_PICTURE_PLANE_H_

#include <cstddef>
#include <vector>

namespace hellocnn::client::picture {

struct Plane {
  Plane() = default;
  Plane(int columns, int rows, float value = 0)
      : width(columns), height(rows), values(std::size_t(columns) * rows, value) {}

  float& at(int x, int y) { return values[std::size_t(y) * width + x]; }
  float at(int x, int y) const { return values[std::size_t(y) * width + x]; }

  int width = 0;
  int height = 0;
  std::vector<float> values;  // [height, width]
};

// A rectangle of pixels; right and bottom are exclusive.
struct Box {
  int left = 0;
  int top = 0;
  int right = 0;
  int bottom = 0;

  int width() const { return right - left; }
  int height() const { return bottom - top; }
};

// Returns the part of `plane` in `box`, which lies within it and is not empty, scaled to
// `width` x `height`, both >= 1. Each value is the mean of the area that it covers.
Plane Resize(const Plane& plane, const Box& box, int width, int height);
inline Plane Resize(const Plane& plane, int width, int height) {
  return Resize(plane, {0, 0, plane.width, plane.height}, width, height);
}

// Returns, for each pixel, the mean of the square that reaches `radius` pixels to each side. The
// square is cut off at the border.
Plane Blur(const Plane& plane, int radius);

// Returns, for each pixel, the greatest or the smallest value of that square.
Plane Dilate(const Plane& plane, int radius);
Plane Erode(const Plane& plane, int radius);

// Returns the value that `share` (0 to 1) of `values` do not exceed; 0 if there are none.
float Quantile(std::vector<float> values, double share);

}  // namespace hellocnn::client::picture

#endif  // HELLOCNN_CLIENT_PICTURE_PLANE_H_
