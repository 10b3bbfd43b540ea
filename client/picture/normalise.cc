#include "client/picture/normalise.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "hellocnn/client/client_types.h"

namespace hellocnn::client::picture {
namespace {

// The centre of mass, in pixels from the left and the top edge.
struct Centre {
  double x = 0;
  double y = 0;
};

// `ink` must not be 0 everywhere.
Centre CentreOfMass(const Plane& ink) {
  double mass = 0;
  Centre centre;
  for (int y = 0; y < ink.height; ++y) {
    for (int x = 0; x < ink.width; ++x) {
      mass += ink.at(x, y);
      centre.x += (x + 0.5) * ink.at(x, y);
      centre.y += (y + 0.5) * ink.at(x, y);
    }
  }
  return {centre.x / mass, centre.y / mass};
}

// Returns true if the whole picture is as MNIST's are, up to a pixel of the content: the digit has
// `side` rows or columns of it, and its mass lies in the middle.
bool IsNormal(const Plane& ink, const Box& box, int content, int side) {
  if (std::abs(ink.width - ink.height) > ink.width / content) return false;
  const double scale = static_cast<double>(content) / std::max(ink.width, ink.height);
  if (std::abs(std::max(box.width(), box.height()) * scale - side) > 1) return false;
  const Centre centre = CentreOfMass(ink);
  return std::abs(centre.x * scale - content / 2.0) < 1 &&
         std::abs(centre.y * scale - content / 2.0) < 1;
}

// Draws `digit` into the network's input, whose content it may reach beyond.
std::vector<std::uint8_t> Place(const Plane& digit, int left, int top, int content, int padding) {
  std::vector<std::uint8_t> grey(kImagePixels, 0);
  for (int y = 0; y < digit.height; ++y) {
    for (int x = 0; x < digit.width; ++x) {
      const int column = left + x;
      const int row = top + y;
      if (column < 0 || row < 0 || column >= content || row >= content) continue;
      grey[std::size_t(row + padding) * kImageSide + column + padding] =
          static_cast<std::uint8_t>(std::lround(255 * digit.at(x, y)));
    }
  }
  return grey;
}

}  // namespace

std::vector<std::uint8_t> Normalise(const Plane& ink, const Box& box, int content, int padding) {
  const int side = std::max(1, content * 20 / 28);
  // To scale a digit a second time would blur it.
  if (IsNormal(ink, box, content, side))
    return Place(Resize(ink, content, content), 0, 0, content, padding);
  const double scale = static_cast<double>(side) / std::max(box.width(), box.height());
  const int width = std::clamp(static_cast<int>(std::lround(box.width() * scale)), 1, side);
  const int height = std::clamp(static_cast<int>(std::lround(box.height() * scale)), 1, side);
  const Plane digit = Resize(ink, box, width, height);
  const Centre centre = CentreOfMass(digit);
  return Place(digit, static_cast<int>(std::lround(content / 2.0 - centre.x)),
               static_cast<int>(std::lround(content / 2.0 - centre.y)), content, padding);
}

}  // namespace hellocnn::client::picture
