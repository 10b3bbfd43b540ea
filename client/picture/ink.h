// Finds the ink in a picture: what differs from a smooth background.
#ifndef HELLOCNN_CLIENT_PICTURE_INK_H_
#define HELLOCNN_CLIENT_PICTURE_INK_H_

#include "client/picture/plane.h"

namespace hellocnn::client::picture {

enum class Polarity { kDarkInk, kLightInk };

// What a picture holds under one hypothesis: a polarity, and how smooth the background is.
struct Ink {
  // [height, width] of the picture: 0 is background, and 1 is the strongest ink. Only the pixels of
  // the digit are not 0.
  Plane level;
  Box box;               // around the digit; empty if there is nothing
  float contrast = 0;    // between ink and background, in shares of full brightness
  float noise = 0;       // standard deviation of the background, in the same unit
  bool several = false;  // true: this looks like several digits
  // What the hypothesis leaves unexplained; 0 is best, and 2 or more is nonsense.
  double doubt = 0;
};

// Finds the ink in `grey`, which has levels 0 to 1 and is not empty. The background is taken to be
// smooth over `share` of the longer side of the picture; 0 means that it has the same brightness
// everywhere.
Ink FindInk(const Plane& grey, Polarity polarity, double share);

}  // namespace hellocnn::client::picture

#endif  // HELLOCNN_CLIENT_PICTURE_INK_H_
