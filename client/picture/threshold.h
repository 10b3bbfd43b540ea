// Statistics of a plane: where ink begins, and how noisy the plane is.
#ifndef HELLOCNN_CLIENT_PICTURE_THRESHOLD_H_
#define HELLOCNN_CLIENT_PICTURE_THRESHOLD_H_

#include "client/picture/plane.h"

namespace hellocnn::client::picture {

// Two classes of values, as Otsu's method separates them.
struct Split {
  float threshold = 0;     // between the means of the classes
  float low = 0;           // mean of the lower class
  float high = 0;          // mean of the upper class
  float separability = 0;  // the share of the variance that the classes explain, 0 to 1
};

// Splits the values of `plane`, which is not empty. If all are the same, `low`, `high` and
// `threshold` are that value.
Split SplitLevels(const Plane& plane);

// Returns the standard deviation of the noise, judged by pixels of a row that are `distance` apart.
// Ink hardly matters, unless it covers most of the plane.
float EstimateNoise(const Plane& plane, int distance);

// Returns the sum of the differences between neighbours in `box`, which lies within the plane.
double SumOfEdges(const Plane& plane, const Box& box);

}  // namespace hellocnn::client::picture

#endif  // HELLOCNN_CLIENT_PICTURE_THRESHOLD_H_
