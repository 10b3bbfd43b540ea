#include "server/rpc/classifier_v1/response.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/error_details.h"

namespace hellocnn::server {
namespace {

using ::testing::ElementsAre;

ModelCard Card(int classes = 10) {
  ModelCard card;
  card.name = "mnist";
  card.version = "7";
  for (int i = 0; i < classes; ++i) card.class_labels.push_back("label" + std::to_string(i));
  card.test_accuracy = 0.99;
  return card;
}

TEST(EncodeTest, ClassificationHasPredictionsModelAndTiming) {
  const std::vector<float> log_probabilities{-2, -1, -3, -4,   -5,   // the first image
                                             -9, -8, -7, -0.5, -6};  // the second
  JobTiming timing;
  timing.queue = absl::Seconds(2) + absl::Nanoseconds(3);
  timing.compute = absl::Microseconds(7);
  timing.largest_batch = 5;
  v1::ClassifyResponse response;
  const ModelCard card = Card(5);
  EncodeClassification({log_probabilities, card, timing}, &response);
  ASSERT_EQ(response.predictions_size(), 2);
  EXPECT_EQ(response.predictions(0).class_index(), 1);
  EXPECT_EQ(response.predictions(0).label(), "label1");
  EXPECT_THAT(response.predictions(0).log_probabilities(), ElementsAre(-2, -1, -3, -4, -5));
  EXPECT_EQ(response.predictions(1).class_index(), 3);
  EXPECT_EQ(response.predictions(1).label(), "label3");
  EXPECT_THAT(response.predictions(1).log_probabilities(), ElementsAre(-9, -8, -7, -0.5, -6));
  EXPECT_EQ(response.model().name(), "mnist");
  EXPECT_EQ(response.model().version(), "7");
  EXPECT_EQ(response.timing().queue_duration().seconds(), 2);
  EXPECT_EQ(response.timing().queue_duration().nanos(), 3);
  EXPECT_EQ(response.timing().compute_duration().nanos(), 7000);
  EXPECT_EQ(response.timing().batch_size(), 5);
}

TEST(EncodeTest, ErrorHasTheProtocolsCode) {
  v1::StreamError error;
  EncodeError(absl::UnavailableError("later"), &error);
  EXPECT_EQ(error.code(), 14);
  EXPECT_EQ(error.message(), "later");
  EXPECT_FALSE(error.has_retry_after());
}

TEST(EncodeTest, ErrorOfAnOverloadSaysWhenToComeBack) {
  v1::StreamError error;
  EncodeError(WithRetryAfter(absl::ResourceExhaustedError("full"), absl::Microseconds(2'000'100)),
              &error);
  EXPECT_EQ(error.retry_after().seconds(), 2);
  EXPECT_EQ(error.retry_after().nanos(), 1'000'000);

  v1::StreamError unknown;
  EncodeError(absl::ResourceExhaustedError("full"), &unknown);
  EXPECT_EQ(unknown.retry_after().nanos(), 100'000'000);
}

TEST(DescribeModelTest, HasTheLayerTableAndTheCard) {
  const v1::Model model = DescribeModel(Card());
  EXPECT_EQ(model.layers_size(), 12);
  EXPECT_EQ(model.layers(0).name(), "conv.0");
  EXPECT_THAT(model.layers(0).output_shape(), ElementsAre(6, 28, 28));
  EXPECT_THAT(model.layers(10).output_shape(), ElementsAre(10));
  EXPECT_EQ(model.parameter_count(), 61'706);
  EXPECT_EQ(model.multiply_adds(), 416'520);
  EXPECT_EQ(model.class_labels_size(), 10);
  EXPECT_EQ(model.preprocessing().content_size(), 28);
  EXPECT_FLOAT_EQ(model.preprocessing().mean(), 0.1307F);
}

TEST(DescribeModelTest, HasAsManyClassesAsTheCard) {
  const v1::Model model = DescribeModel(Card(26));
  EXPECT_THAT(model.layers(11).output_shape(), ElementsAre(26));
  EXPECT_EQ(model.parameter_count(), 61'706 + 16 * 85);
  EXPECT_EQ(model.class_labels_size(), 26);
}

}  // namespace
}  // namespace hellocnn::server
