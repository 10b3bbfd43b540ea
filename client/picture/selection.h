// Chooses the parts of the ink that are the digit.
#ifndef HELLOCNN_CLIENT_PICTURE_SELECTION_H_
#define HELLOCNN_CLIENT_PICTURE_SELECTION_H_

#include <cstdint>
#include <vector>

#include "client/picture/components.h"
#include "client/picture/plane.h"

namespace hellocnn::client::picture {

// Returns which parts are no writing: a frame around other parts, an edge of the paper, a line
// across the picture. The result has one entry for each part.
std::vector<bool> FindFrames(const Components& ink, int width, int height);

struct Selection {
  std::vector<bool> chosen;  // one for each part
  Box box;                   // around the chosen parts; empty if there are none
};

// Chooses the greatest part and what belongs to it. Leaves specks out.
Selection SelectDigit(const Components& ink);

// Returns true if `ink`, all of which is in `box`, looks like several digits.
bool AreSeveralDigits(const Components& ink, const Box& box);

}  // namespace hellocnn::client::picture

#endif  // HELLOCNN_CLIENT_PICTURE_SELECTION_H_
