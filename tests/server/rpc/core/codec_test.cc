#include "server/rpc/core/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace hellocnn::server {
namespace {

TEST(ListConfidencesTest, HasTheMostLikelyClassOfEachImageAndItsProbability) {
  std::vector<Confidence> confidences{{7, 0.5}};
  // Of the second image, rounding has left a probability above 1.
  ListConfidences(std::vector<float>{-1, -2, -0.5F, -100, 1e-6F, -100}, 3, &confidences);
  ASSERT_EQ(confidences.size(), 2);
  EXPECT_EQ(confidences[0].class_index, 2);
  EXPECT_NEAR(confidences[0].probability, std::exp(-0.5), 1e-6);
  EXPECT_EQ(confidences[1].class_index, 1);
  EXPECT_EQ(confidences[1].probability, 1);
}

}  // namespace
}  // namespace hellocnn::server
