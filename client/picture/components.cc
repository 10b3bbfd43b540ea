#include "client/picture/components.h"

#include <algorithm>
#include <cstddef>

namespace hellocnn::client::picture {

Components FindComponents(const Plane& plane, float threshold) {
  const int width = plane.width;
  const int height = plane.height;
  Components found;
  found.labels.assign(plane.values.size(), -1);
  std::vector<std::int32_t> to_visit;  // a stack of pixels, instead of recursion
  for (std::size_t start = 0; start < plane.values.size(); ++start) {
    if (!(plane.values[start] > threshold) || found.labels[start] >= 0) continue;
    const auto label = static_cast<std::int32_t>(found.parts.size());
    Component part{{width, height, 0, 0}};
    found.labels[start] = label;
    to_visit.push_back(static_cast<std::int32_t>(start));
    while (!to_visit.empty()) {
      const int at = to_visit.back();
      to_visit.pop_back();
      const int x = at % width;
      const int y = at / width;
      ++part.area;
      if (x == 0 || y == 0 || x == width - 1 || y == height - 1) ++part.border;
      part.box = {std::min(part.box.left, x), std::min(part.box.top, y),
                  std::max(part.box.right, x + 1), std::max(part.box.bottom, y + 1)};
      for (int row = std::max(y - 1, 0); row <= std::min(y + 1, height - 1); ++row) {
        for (int column = std::max(x - 1, 0); column <= std::min(x + 1, width - 1); ++column) {
          const int near = row * width + column;
          if (found.labels[near] >= 0 || !(plane.values[near] > threshold)) continue;
          found.labels[near] = label;
          to_visit.push_back(near);
        }
      }
    }
    found.parts.push_back(part);
  }
  return found;
}

}  // namespace hellocnn::client::picture
