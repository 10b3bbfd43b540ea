#include "client/picture/plane.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace hellocnn::client::picture {
namespace {

// Returns `plane` with rows and columns exchanged. Filters work on rows only, so that each reads
// memory in order.
Plane Transpose(const Plane& plane) {
  constexpr int kTile = 16;
  Plane result(plane.height, plane.width);
  for (int top = 0; top < plane.height; top += kTile) {
    for (int left = 0; left < plane.width; left += kTile) {
      for (int y = top; y < std::min(top + kTile, plane.height); ++y) {
        for (int x = left; x < std::min(left + kTile, plane.width); ++x)
          result.at(y, x) = plane.at(x, y);
      }
    }
  }
  return result;
}

Plane ResizeRows(const Plane& plane, int left, int right, int width) {
  Plane result(width, plane.height);
  const double ratio = static_cast<double>(right - left) / width;
  for (int x = 0; x < width; ++x) {
    const double begin = left + x * ratio;
    const double end = std::min<double>(right, begin + ratio);
    const int first = static_cast<int>(begin);
    const int last = std::min(right, static_cast<int>(std::ceil(end)));
    for (int y = 0; y < plane.height; ++y) {
      double sum = 0;
      for (int i = first; i < last; ++i)
        sum += (std::min<double>(end, i + 1) - std::max<double>(begin, i)) * plane.at(i, y);
      result.at(x, y) = static_cast<float>(sum / (end - begin));
    }
  }
  return result;
}

Plane BlurRows(const Plane& plane, int radius) {
  Plane result(plane.width, plane.height);
  for (int y = 0; y < plane.height; ++y) {
    double sum = 0;
    for (int x = 0; x < std::min(radius, plane.width); ++x) sum += plane.at(x, y);
    for (int x = 0; x < plane.width; ++x) {
      if (x + radius < plane.width) sum += plane.at(x + radius, y);
      if (x - radius - 1 >= 0) sum -= plane.at(x - radius - 1, y);
      const int count = std::min(x + radius, plane.width - 1) - std::max(x - radius, 0) + 1;
      result.at(x, y) = static_cast<float>(sum / count);
    }
  }
  return result;
}

// Runs a window along each row with the algorithm of van Herk and of Gil and Werman: a few
// comparisons for each value, however large the window is. `better` returns the value to keep.
template <class Better>
Plane ExtremeRows(const Plane& plane, int radius, Better better) {
  const int window = 2 * radius + 1;
  // Beyond the border there is nothing, so the values there are those of the border, which the
  // window contains anyway.
  const int length = plane.width + 2 * radius;
  std::vector<float> padded(length), forward(length), backward(length);
  Plane result(plane.width, plane.height);
  for (int y = 0; y < plane.height; ++y) {
    for (int i = 0; i < length; ++i)
      padded[i] = plane.at(std::clamp(i - radius, 0, plane.width - 1), y);
    for (int i = 0; i < length; ++i)
      forward[i] = i % window == 0 ? padded[i] : better(forward[i - 1], padded[i]);
    for (int i = length - 1; i >= 0; --i) {
      const bool starts = i == length - 1 || (i + 1) % window == 0;
      backward[i] = starts ? padded[i] : better(backward[i + 1], padded[i]);
    }
    for (int x = 0; x < plane.width; ++x)
      result.at(x, y) = better(backward[x], forward[x + window - 1]);
  }
  return result;
}

template <class Better>
Plane Extreme(const Plane& plane, int radius, Better better) {
  const Plane rows = ExtremeRows(plane, std::min(radius, plane.width), better);
  return Transpose(ExtremeRows(Transpose(rows), std::min(radius, plane.height), better));
}

}  // namespace

Plane Resize(const Plane& plane, const Box& box, int width, int height) {
  Plane rows(plane.width, box.height());
  std::copy_n(plane.values.begin() + std::ptrdiff_t{box.top} * plane.width, rows.values.size(),
              rows.values.begin());
  const Plane narrow = Transpose(ResizeRows(rows, box.left, box.right, width));
  return Transpose(ResizeRows(narrow, 0, box.height(), height));
}

Plane Blur(const Plane& plane, int radius) {
  if (radius < 1) return plane;
  return Transpose(BlurRows(Transpose(BlurRows(plane, radius)), radius));
}

Plane Dilate(const Plane& plane, int radius) {
  return Extreme(plane, radius, [](float a, float b) { return std::max(a, b); });
}

Plane Erode(const Plane& plane, int radius) {
  return Extreme(plane, radius, [](float a, float b) { return std::min(a, b); });
}

float Quantile(std::vector<float> values, double share) {
  if (values.empty()) return 0;
  const auto at = values.begin() + std::lround(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace hellocnn::client::picture
